"""An extraction to a real S3-compatible server, read by another process with an empty cache."""

import os
import subprocess
import sys

import numpy as np
import pytest

from stores import Manifest
from stores.layout import locate
from tests.support.extraction import extract, write_folder
from tests.support.s3_server import SECRET, environment, running_s3

pytestmark = pytest.mark.server

IMAGES = 1000
ADDRESS = "s3://bucket/pets"
READ = """
import sys, numpy as np
from stores import FeatureStore, Manifest
from stores.layout import locate
store = locate("s3://bucket/pets")
features, images = FeatureStore.open(store), Manifest.read(store, "images").select()
np.savez(sys.argv[1], keys=images.keys, rows=features.read(images.keys), found=features.verify())
"""


@pytest.fixture
def s3(tmp_path, monkeypatch):
    """Return a function that leads to the server with a cache of one's own."""
    with running_s3(tmp_path) as port:

        def lead(cache):
            for name, value in environment(port, tmp_path / cache).items():
                monkeypatch.setenv(name, value)

        lead("one")
        yield lead


def test_a_thousand_images_are_read_by_another_process(tiny, s3, tmp_path):
    images = write_folder(tmp_path / "images", IMAGES)
    first = extract(images, locate(ADDRESS), shard_size=100)
    assert first.computed == IMAGES
    s3("other")
    command = [sys.executable, "-c", READ, str(tmp_path / "read.npz")]
    subprocess.run(command, check=True, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)})
    with np.load(tmp_path / "read.npz") as read:
        assert np.array_equal(read["keys"], first.manifest.select().keys)
        assert np.array_equal(read["rows"], first.features(locate(ADDRESS)))
        assert not len(read["found"])
    assert extract(images, locate(ADDRESS)).computed == 0
    assert Manifest.read(locate(ADDRESS), "images").digest == first.manifest.digest
    for cache in "one", "other":
        for path in filter(os.path.isfile, (tmp_path / cache).rglob("*")):
            assert SECRET.encode() not in path.read_bytes()
