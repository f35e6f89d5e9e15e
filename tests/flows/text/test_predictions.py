import pytest

from flows.summaries.predictions import (
    Intervals,
    NearestImage,
    PredictedImage,
    PredictedNumbers,
    PredictSummary,
)
from flows.text.numbers import in_digits
from flows.text.predictions import predict_text
from tasks.inference.novelty import Shift


def summary(image, counts={"cat": 1}, **fields):  # noqa: B006  it is not changed
    return PredictSummary(
        model="abc",
        seconds=1.0,
        images=1,
        counts=counts,
        cached=0,
        computed=1,
        rejected=0,
        predictions=(image,),
        in_its_dataset=None,
        passed_over={},
        output=None,
        grid=None,
        **fields,
    )


def test_an_image_unlike_the_training_images_is_marked_beside_the_nearest():
    nearest = (NearestImage("cats/1.jpg", "cat", 0.414),)
    image = PredictedImage(
        "a.png", "cat", 0.98, "", None, novelty=0.0021, nearest=nearest, unlike=True
    )
    assert predict_text(summary(image)).splitlines()[0] == (
        "a.png  cat  0.9800  unlike the training images (p 0.0021; nearest cats/1.jpg at 0.41)"
    )


def test_a_shift_is_one_line():
    image = PredictedImage("a.png", "cat", 0.98, "", None)
    shift = Shift(level=0.01, images=50, unlike=6, held_out_images=800, changed=True)
    assert predict_text(summary(image, shift=shift)).splitlines()[-1] == (
        "12.0% of 50 images are unlike the training images, where 1% is expected: "
        "the images have changed (by 800 held-out images)"
    )


def test_several_labels_are_named_with_their_probabilities():
    shares = {"cat": 0.98, "dog": 0.1, "old": 0.7}
    image = PredictedImage("a.png", ("cat", "old"), None, "", None, probabilities=shares)
    counts = {"cat": 1, "dog": 0, "old": 1}
    told = summary(image, counts, target="labels", without_label=0)
    first, second = predict_text(told).splitlines()
    assert first == "a.png  cat 0.9800, old 0.7000"
    assert second.startswith("1 image in 1.0 s: cat 1, old 1; features of")
    assert list(told.tables())[1].rows[0]["predicted"] == "cat, old"
    bare = PredictedImage("a.png", (), None, "", None, probabilities=shares)
    lines = predict_text(summary(bare, {"cat": 0}, target="labels", without_label=1)).splitlines()
    assert lines[0] == "a.png  none of the labels"
    assert lines[1].startswith("1 image in 1.0 s: none of the labels 1; features of")


def test_a_number_stands_with_its_interval():
    image = PredictedImage("a.png", 41.239, None, "", None, interval=(36.1, 46.378))
    numbers, found = PredictedNumbers(41.239, 41.239, 41.239), Intervals(0.9, None, 40, 10.278)
    told = summary(image, {}, target="number", numbers=numbers, intervals=found)
    first, second, third = predict_text(told).splitlines()
    assert first == "a.png  41.24  (36.10 to 46.38)"
    assert second.startswith("1 image in 1.0 s: 41.24 in the mean, from 41.24 to 41.24; features")
    assert third == (
        "intervals with the true number of 90% of images (by 40 held-out images): 10.28 wide"
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-3.14159, "-3.142"),
        (0.00031415, "0.0003142"),
        (123456.7, "123,457"),
        (1.5e12, "1.5e+12"),
        (float("nan"), "nan"),
    ],
)
def test_a_number_has_four_digits_that_matter(value, text):
    assert in_digits(value) == text
