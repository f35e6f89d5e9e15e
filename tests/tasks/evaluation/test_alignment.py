"""A crop is recognised by its pixels wherever it was cut, and other pictures are not."""

import numpy as np
import pytest
from PIL import Image

from tasks.evaluation.alignment import aligned_correlation


def picture(number):
    noise = np.random.default_rng(number).integers(0, 256, (6, 6), "u1")
    return Image.fromarray(noise).resize((160, 160), Image.Resampling.BICUBIC)


def small(image):
    return np.asarray(image.resize((16, 16), Image.Resampling.BOX), np.float32)[np.newaxis]


@pytest.mark.parametrize("box", [(0, 0, 144, 150), (16, 10, 160, 160), (8, 0, 150, 140)])
@pytest.mark.parametrize("drop_hopeless", [False, True])
def test_a_crop_is_moved_onto_the_whole(box, drop_hopeless):
    whole, crop = small(picture(1)), small(picture(1).crop(box))
    plain = np.corrcoef(whole.ravel(), crop.ravel())[0, 1]
    (found,) = aligned_correlation(crop, whole, drop_hopeless=drop_hopeless)
    assert found > max(0.97, plain)


def test_brightness_and_contrast_do_not_matter():
    whole = small(picture(1))
    assert aligned_correlation(whole, 0.5 * whole + 40) == pytest.approx(1, abs=1e-3)


def test_other_pictures_do_not_match():
    first, second = (np.concatenate([small(picture(n + k)) for n in range(50)]) for k in (0, 50))
    assert aligned_correlation(first, second).max() < 0.9


def test_flat_pictures_match_nothing():
    whole = small(picture(1))
    assert aligned_correlation(np.full_like(whole, 7), whole).max() < 0.5
