"""The backbone sees exactly what is new: told by what it wrote down, not by our own counters."""

import os
import shutil
from collections import Counter

import numpy as np
import pytest

from stores import FeatureStore
from tasks.datasets.ingest import ingest
from tasks.features.extract import find_missing
from tasks.features.job import make_job
from tests.support.extraction import (
    REQUEST,
    assert_same,
    extract,
    rows_of_keras,
    write_image,
    write_old_folder,
)
from tests.support.samples import snapshot


@pytest.fixture
def folder(tmp_path):
    return write_old_folder(tmp_path / "pets")


def everything(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*.png")}


def nothing(folder):
    return set()


def edit_one(folder):
    write_image(folder / "cats/0004.png", seed=1000)
    return {"cats/0004.png"}


def add_seven(folder):
    return {
        str(write_image(folder / f"dogs/new{n}.png", seed=2000 + n).relative_to(folder))
        for n in range(7)
    }


def rename(folder):
    (folder / "cats/0004.png").rename(folder / "cats/other name.png")
    return set()


def move(folder):
    (folder / "cats/below").mkdir()
    (folder / "cats/0004.png").rename(folder / "cats/below/0004.png")
    return set()


def relabel(folder):
    (folder / "cats/0004.png").rename(folder / "dogs/0004.png")
    return set()


def rename_class(folder):
    (folder / "cats").rename(folder / "kittens")
    return set()


def copy_one(folder):
    shutil.copy(folder / "cats/0004.png", folder / "cats/copy.png")
    return set()


def remove(folder):
    (folder / "cats/0004.png").unlink()
    return set()


def touch(folder):
    for path in folder.rglob("*.png"):
        os.utime(path)
    return set()


# What is changed in the folder (and which images are new by it), and how it is extracted then.
CHANGES = {
    "nothing": (nothing, {}),
    "edit one": (edit_one, {}),
    "add seven": (add_seven, {}),
    "rename": (rename, {}),
    "move": (move, {}),
    "relabel": (relabel, {}),
    "rename a class": (rename_class, {}),
    "a duplicate": (copy_one, {}),
    "remove": (remove, {}),
    "touch": (touch, {}),
    "batch size": (nothing, {"batch_size": 3}),
    "shard size": (nothing, {"shard_size": 7}),
    "other weights": (everything, {"weights_seed": 1}),
    "other pooling": (everything, {"pooling": "max"}),
    "other dtype": (everything, {"dtype": "float16"}),
    "crop": (everything, {"aspect_ratio": "crop"}),
    "pad": (everything, {"aspect_ratio": "pad"}),
}


# 20 images are whole batches of 5, and leave half a batch of 8.
@pytest.mark.parametrize(
    ("change", "batch_size"),
    [*((change, 5) for change in CHANGES), *((c, 8) for c in ("nothing", "add seven", "crop"))],
)
def test_the_backbone_sees_exactly_what_is_new(tiny, folder, store, tmp_path, change, batch_size):
    first = extract(folder, store, batch_size=batch_size)
    assert tiny.read_diary() == Counter(rows_of_keras(tiny, folder).values())

    act, options = CHANGES[change]
    new, options = act(folder), {"batch_size": batch_size, **options}
    second = extract(folder, store, **options)
    mode = {f"{options.get('aspect_ratio')}_to_aspect_ratio": True}
    known = rows_of_keras(tiny, folder, **(mode if "aspect_ratio" in options else {}))
    assert tiny.read_diary() == Counter(known[path] for path in new)
    assert (first.computed, second.computed) == (20, len(new))

    fresh = extract(folder, tmp_path / "fresh", **options)
    assert_same(fresh.features(tmp_path / "fresh"), second.features(store))


def test_other_weights_are_seen_in_the_features(tiny, folder, store):
    one, other = (extract(folder, store, weights_seed=seed) for seed in (0, 1))
    with pytest.raises(AssertionError):
        assert_same(one.features(store), other.features(store))


def test_a_second_tap_is_computed_for_itself_only(tiny, folder, store, tmp_path):
    first = extract(folder, store, batch_size=8)
    output = FeatureStore(store, first.job.recipes[0]).folder
    before = snapshot(output)
    tiny.read_diary()
    both = extract(folder, store, batch_size=8, taps=("output", "first"))
    assert tiny.read_diary() == Counter(rows_of_keras(tiny, folder).values())
    assert snapshot(output) == before
    fresh = extract(folder, tmp_path / "fresh", taps=("output", "first"))
    for number in (0, 1):
        assert_same(fresh.features(tmp_path / "fresh", number), both.features(store, number))


def test_images_that_lack_one_of_two_taps_are_seen_once(tiny, folder, store):
    extract(folder, store, taps=("output",))
    new = add_seven(folder)
    tiny.read_diary()
    both = extract(folder, store, taps=("first", "output"))
    known = rows_of_keras(tiny, folder)
    assert tiny.read_diary() == Counter(known.values())
    assert both.computed == 20 + len(new)
    assert extract(folder, store, taps=("first", "output")).computed == 0


def test_a_duplicate_is_seen_once(tiny, folder, store):
    copy_one(folder)
    done = extract(folder, store)
    assert tiny.read_diary() == Counter(set(rows_of_keras(tiny, folder).values()))
    assert done.computed == 20


def test_a_crop_does_not_forget_the_rest(tiny, folder, store):
    for aspect_ratio in ("stretch", "crop", "pad"):
        extract(folder, store, aspect_ratio=aspect_ratio)
    tiny.read_diary()
    kept = [
        extract(folder, store, aspect_ratio=a).features(store) for a in ("stretch", "crop", "pad")
    ]
    assert not tiny.read_diary()
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert not np.allclose(kept[one], kept[other], rtol=0.01)


def test_the_same_images_in_another_data_set_are_not_seen_again(tiny, folder, store, tmp_path):
    extract(folder, store)
    tiny.read_diary()
    other = extract(shutil.copytree(folder, tmp_path / "others"), store)
    assert not tiny.read_diary()
    assert len(other.features(store)) == 20


def test_finding_what_is_missing_writes_nothing(tiny, folder, store):
    manifest = ingest(folder, store=store).manifest
    before = snapshot(store)
    (missing,) = find_missing(manifest, make_job(REQUEST, store=store, engine="keras"), store=store)
    assert len(missing.images) == 20
    assert snapshot(store) == before
