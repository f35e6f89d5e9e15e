"""Images of a data set as columns, of which shards are cut."""

import pickle

import numpy as np
import pyarrow as pa

from stores.manifest import Images
from tasks.images.pixel_batches import ImageFiles
from tests.support.samples import some_keys

COUNT = 1000


def files(view=0):
    paths = pa.array([f"cat/{n:04}.png" for n in range(COUNT)])
    splits = pa.array(["train"] * COUNT)
    return ImageFiles.of(Images(some_keys(COUNT), np.zeros(COUNT, int), paths, splits), view=view)


def test_a_slice_has_the_images_of_its_places():
    part = files()[10:14]
    assert [image.path for image in part] == [f"cat/{n:04}.png" for n in range(10, 14)]
    assert [image.key for image in part] == [key.tobytes() for key in some_keys(COUNT)[10:14]]


def test_a_slice_is_sent_to_another_process_without_the_others():
    """The kind: a shard of some images that takes the paths of a whole data set along."""
    whole, part = files(), files()[:10]
    assert len(pickle.dumps(part)) < len(pickle.dumps(whole)) / 20
    assert list(pickle.loads(pickle.dumps(part))) == list(part)
