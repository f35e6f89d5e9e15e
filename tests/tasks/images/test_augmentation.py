import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.errors import InputError
from tasks.images.augmentation import augmented, views_of
from tasks.images.augmentation_names import augmentation_text
from tests.support.images import pixels

IMAGES = np.stack([pixels(n, 24, 20) for n in range(6)]).astype(np.float32)
KEYS = np.random.default_rng(0).integers(0, 256, (6, 32), dtype=np.uint8)
EVERY = ["flip", "rotation", "zoom", "translation", "contrast", "brightness", "saturation"]


def test_what_is_asked_for_is_written_out():
    assert augmentation_text([]) == "none"
    assert augmentation_text(["flip", "rotation=.25"]) == "flip=horizontal, rotation=0.25"
    assert augmentation_text(["rotation=0.250"]) == augmentation_text([" rotation = 0.25 "])


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("rotate", "unknown augmentation 'rotate': did you mean rotation"),
        ("rotation=2", "expected a number above 0, up to 1. Received: '2'"),
        ("rotation=0", "expected a number above 0, up to 1"),
        ("zoom=much", "expected a number above 0, up to 1"),
        ("zoom=nan", "expected a number above 0, up to 1"),
        ("flip=up", "expected horizontal, vertical, horizontal_and_vertical. Received: 'up'"),
    ],
)
def test_what_is_none_is_refused(asked, told):
    with pytest.raises(InputError) as error:
        augmentation_text([asked])
    assert told in str(error.value)


@pytest.mark.parametrize("name", EVERY)
def test_each_changes_images_within_their_range_and_each_otherwise(name):
    text = augmentation_text([name])
    drawn = augmented(IMAGES, text, draw=(0,))
    assert drawn.shape == IMAGES.shape
    assert drawn.dtype == np.float32
    assert -1e-3 <= drawn.min() <= drawn.max() <= 255 + 1e-3
    assert not np.allclose(drawn, IMAGES)
    assert np.array_equal(drawn, augmented(IMAGES, text, draw=(0,)))
    assert not np.array_equal(drawn, augmented(IMAGES, text, draw=(1,)))


def test_without_any_images_are_as_they_are():
    assert augmented(IMAGES, "none", draw=(0,)) is IMAGES


@settings(max_examples=10)
@given(st.permutations(range(6)), st.lists(st.integers(0, 3), min_size=6, max_size=6))
def test_a_view_does_not_depend_on_the_images_beside_it(order, views):
    text = augmentation_text(["flip", "rotation", "contrast"])
    numbers = np.array(views, np.uint16)
    together = views_of(IMAGES, text, KEYS, numbers)
    again = views_of(IMAGES[order], text, KEYS[order], numbers[order])
    assert np.array_equal(again, together[order])
    assert all(np.array_equal(together[n], IMAGES[n]) for n in range(6) if not views[n])


def test_views_of_an_image_differ():
    text = augmentation_text(["rotation"])
    first, second = (views_of(IMAGES, text, KEYS, np.full(6, n, np.uint16)) for n in (1, 2))
    assert all(not np.array_equal(a, b) for a, b in zip(first, second, strict=True))
