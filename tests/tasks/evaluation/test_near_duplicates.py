"""Near-duplicates are found however many there are, and what cannot be told is not denied."""

import io
from functools import cache

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from tasks.evaluation.grey_thumbnails import SIDE, grey_thumbnail
from tasks.evaluation.indexed_pairs import MOST_INDEXED
from tasks.evaluation.near_duplicates import FEWEST, near_duplicates, why_not
from tests.support.places import ROOT

PHOTOGRAPHS = ROOT.parent / "shared/data/cats_and_dogs"


def picture(number):
    noise = np.random.default_rng(number).integers(0, 256, (12, 16, 3), "u1")
    return Image.fromarray(noise).resize((256, 192), Image.Resampling.BICUBIC)


def saved(image, quality=90):
    sink = io.BytesIO()
    image.convert("RGB").save(sink, "JPEG", quality=quality)
    return sink.getvalue()


def halved(image):
    return image.resize((image.width // 2, image.height // 2))


COPIES = {
    "JPEG": lambda image: saved(image, 60),
    "half size": lambda image: saved(halved(image)),
    "mirrored": lambda image: saved(ImageOps.mirror(image)),
    "mirrored, half size": lambda image: saved(halved(ImageOps.mirror(image))),
    "blurred": lambda image: saved(image.filter(ImageFilter.GaussianBlur(1.5))),
}


def thumbnails_of(contents):
    thumbnails = b"".join(map(grey_thumbnail, contents))
    return np.frombuffer(thumbnails, np.uint8).reshape(-1, SIDE, SIDE)


def noise(count, width=64, seed=0):
    return np.random.default_rng(seed).normal(size=(count, width)).astype("f4")


def smooth(count):
    """Return thumbnails as those of pictures that have nothing to do with each other."""
    coarse = np.random.default_rng(1).integers(1, 256, (count, SIDE // 4, SIDE // 4), "u1")
    return coarse.repeat(4, axis=1).repeat(4, axis=2)


def halves(count):
    return ["train"] * (count // 2) + ["test"] * (count - count // 2)


def search(features, thumbnails=None, labels=None, parts=None):
    count = len(features)
    return near_duplicates(
        features,
        thumbnails_of(saved(picture(n)) for n in range(count))
        if thumbnails is None
        else thumbnails,
        np.zeros(count, np.int64) if labels is None else labels,
        parts or halves(count),
    )


def places(found):
    return {(pair.first, pair.second) for pair in found.pairs}


@cache
def images_of(source):
    if source == "drawn":
        return [picture(n) for n in range(100)]
    return [Image.open(path).convert("RGB") for path in sorted(PHOTOGRAPHS.rglob("*.jpg"))[::20]]


@cache
def thumbnails_before(source):
    return thumbnails_of(saved(image, 95) for image in images_of(source))


@pytest.mark.parametrize("kind", COPIES)
@pytest.mark.parametrize(
    ("source", "share"), [("drawn", 0.02), ("drawn", 1.0), ("photographs", 0.3)]
)
def test_copies_are_found_whatever_their_share(kind, share, source):
    if source == "photographs" and not PHOTOGRAPHS.is_dir():
        pytest.skip(f"needs the photographs of {PHOTOGRAPHS}")
    images = images_of(source)
    copied = [COPIES[kind](image) for image in images[: int(share * len(images))]]
    thumbnails = np.concatenate([thumbnails_before(source), thumbnails_of(copied)])
    labels = np.random.default_rng(0).integers(0, 2, len(thumbnails))
    parts = ["train"] * len(images) + ["test"] * len(copied)
    found = search(noise(len(thumbnails)), thumbnails, labels, parts)
    true = {(n, len(images) + n) for n in range(len(copied))}
    assert len(places(found) & true) >= 0.95 * len(true)
    assert len(places(found) - true) <= 0.01 * len(true)


def test_another_crop_of_an_image_is_found_by_its_features_however_many_there_are():
    rows = noise(160)
    crops = 1.7 * rows + 0.3 * noise(160, seed=1)
    found = search(np.concatenate([rows, crops]))
    assert places(found) == {(n, 160 + n) for n in range(160)}
    assert {pair.by for pair in found.pairs} == {"features"}


def test_all_pairs_of_a_group_are_counted():
    rows = noise(100)
    rows[1:4], rows[97:] = rows[0], rows[0]
    assert places(search(rows)) == {(a, b) for a in range(4) for b in (97, 98, 99)}


def test_within_a_part_likeness_is_no_leak_and_counted_apart():
    rows = noise(100)
    rows[4] = rows[3]
    found = search(rows)
    assert found.pairs == ()
    assert [(pair.first, pair.second) for pair in found.within] == [(3, 4)]


def crops(image, count, seed):
    """Return a burst: crops of 80 to 95% of a picture, a little brighter or darker."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        share = np.sqrt(rng.uniform(0.8, 0.95))
        width, height = int(share * image.width), int(share * image.height)
        x, y = rng.integers(image.width - width + 1), rng.integers(image.height - height + 1)
        crop = image.crop((x, y, x + width, y + height))
        yield saved(ImageEnhance.Brightness(crop).enhance(rng.uniform(0.9, 1.1)))


def test_bursts_do_not_hide_each_other():
    """Of 30 things with 5 crops each, too far apart for features alone, the pairs are found."""
    things = np.arange(150) // 5
    thumbnails = thumbnails_of(c for n in range(30) for c in crops(picture(n), 5, n))
    features = 0.7 * noise(30, width=256)[things] + noise(150, width=256, seed=1)
    parts = ["train", "test", "train", "validation", "test"] * 30
    found = search(features, thumbnails, np.arange(150) % 2, parts)
    true = {(a, b) for a in range(150) for b in range(a + 1, 150) if a // 5 == b // 5}
    true_across = {(a, b) for a, b in true if parts[a] != parts[b]}
    assert len(places(found) & true_across) >= 0.95 * len(true_across)
    assert len(places(found) - true) <= 0.01 * len(true_across)


def test_what_features_pair_and_pixels_do_not_is_doubtful_where_it_is_much():
    """One product among many kinds: 30 of 300 pictures are of one, and none is a copy."""
    rows = noise(300)
    rows[135:165] = noise(1, seed=2) + 0.1 * noise(30, seed=1)
    found = search(rows)
    assert (found.pairs, found.crowded) == ((), 15 * 15)


@pytest.mark.parametrize("rows_at_once", [7, 1024])
def test_pairs_come_once_the_most_alike_first(monkeypatch, rows_at_once):
    monkeypatch.setattr("tasks.evaluation.similar_pairs._ROWS_AT_ONCE", rows_at_once)
    rows = noise(100)
    rows[80], rows[81] = rows[1], rows[2] + 0.05 * noise(1, seed=2)[0]
    found = search(rows).pairs
    assert [(pair.first, pair.second) for pair in found] == [(1, 80), (2, 81)]
    assert found[1].similarity > 0.99


def test_images_of_a_class_that_are_alike_are_no_copies():
    classes = np.arange(200) % 2
    rows = noise(2, seed=1)[classes] * 4 + noise(200)
    found = search(rows, labels=classes)
    assert (found.pairs, found.crowded, found.untold) == ((), 0, ())


def test_what_has_no_features_is_like_nothing():
    rows = noise(100)
    rows[[3, 80]] = 0
    assert search(rows).pairs == ()


@pytest.mark.parametrize("count", [0, 2, FEWEST - 1, MOST_INDEXED + 1])
def test_too_few_or_too_many_images_are_not_called_free_of_copies(count):
    found = near_duplicates(
        np.zeros((count, 1), "f4"), np.zeros((count, 1, 1), "u1"), np.zeros(count, int), []
    )
    assert "images are too" in found.untold[0]


@pytest.mark.parametrize(
    ("about", "expected"),
    [
        ({"thumbnails": np.zeros((100, SIDE, SIDE), "u1")}, "100 of 100 images are gone"),
        (
            {"thumbnails": np.full((100, SIDE, SIDE), 7, "u1")},
            "images are too similar by their pixels",
        ),
        ({"labels": np.arange(100) // 4}, "no class has 16 images"),
        ({"features": np.ones((100, 8), "f4")}, "images are too similar by their features"),
    ],
)
def test_what_cannot_be_compared_is_not_called_free_of_copies(about, expected):
    assert expected in " ".join(search(**{"features": noise(100)} | about).untold)


def test_images_that_are_alike_in_a_crowd_may_be_copies():
    """Of a film's frames nothing says which show the same: 60 of 200 are of one scene."""
    rows = noise(200)
    rows[:30] = rows[0] + 0.1 * noise(30, seed=1)
    rows[170:] = rows[0] + 0.1 * noise(30, seed=2)
    found = search(rows)
    assert len(found.pairs) + found.crowded >= 0.95 * 30 * 30


def test_without_the_index_what_to_install_is_said_in_one_line(monkeypatch):
    monkeypatch.setattr("tasks.evaluation.near_duplicates.can_index", lambda: False)
    assert why_not(200_001).endswith("up to 1,000,000: run pip install 'gargalo[index]'")
    monkeypatch.setattr("tasks.evaluation.near_duplicates.can_index", lambda: True)
    assert why_not(200_001) == ""
