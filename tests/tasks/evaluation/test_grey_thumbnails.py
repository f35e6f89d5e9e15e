import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tasks.evaluation.grey_thumbnails import SIDE, grey_thumbnail, grey_thumbnails
from tests.support.reports import make_manifest


@pytest.fixture
def manifest(tmp_path):
    return make_manifest(tmp_path)


def kept(store, manifest):
    return store / "datasets" / manifest.name / "thumbnails.parquet"


def test_an_image_is_read_once(store, manifest, monkeypatch):
    first = grey_thumbnails(manifest, store)
    assert first.shape == (len(manifest.select().keys), SIDE, SIDE)
    assert first.any(axis=(1, 2)).all()
    monkeypatch.setattr(
        "tasks.evaluation.grey_thumbnails.grey_thumbnail", lambda _: pytest.fail("read again")
    )
    np.testing.assert_array_equal(grey_thumbnails(manifest, store), first)


@pytest.mark.parametrize("content", [b"", b"PAR1 but no table", None])
def test_a_damaged_file_of_thumbnails_is_made_anew(store, manifest, content):
    first, path = grey_thumbnails(manifest, store), kept(store, manifest)
    path.write_bytes(path.read_bytes()[:-50] if content is None else content)
    np.testing.assert_array_equal(grey_thumbnails(manifest, store), first)
    assert len(path.read_bytes()) > 1000


def test_a_pipe_in_its_place_is_not_waited_for(store, manifest):
    kept(store, manifest).parent.mkdir(parents=True)
    os.mkfifo(kept(store, manifest))
    assert grey_thumbnails(manifest, store).any()


def test_where_a_folder_stands_in_its_place_nothing_is_kept(store, manifest):
    kept(store, manifest).mkdir(parents=True)
    assert grey_thumbnails(manifest, store).any()


def test_a_file_that_is_gone_or_was_changed_has_none(store, manifest):
    images = manifest.select()
    folder = Path(manifest.folder)
    (folder / images.paths[0].as_py()).unlink()
    (folder / images.paths[1].as_py()).write_bytes(b"something else")
    found = grey_thumbnails(manifest, store).any(axis=(1, 2))
    assert found.tolist() == [False, False] + [True] * (len(images.keys) - 2)


def test_a_picture_is_turned_upright():
    upright = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 48), "u1"))
    turned = upright.transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned by 90 degrees, clockwise
    contents = []
    for image, about in ((upright, Image.Exif()), (turned, exif)):
        sink = io.BytesIO()
        image.save(sink, "PNG", exif=about)
        contents.append(sink.getvalue())
    assert grey_thumbnail(contents[0]) == grey_thumbnail(contents[1]) != b""


def test_what_is_no_image_has_none():
    assert grey_thumbnail(b"no image") == b""
