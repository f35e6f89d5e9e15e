from flows.summaries.predictions import NearestImage, PredictedImage, PredictSummary
from flows.text.predictions import predict_text
from tasks.inference.novelty import Shift


def summary(image, **fields):
    return PredictSummary(
        model="abc",
        seconds=1.0,
        images=1,
        counts={"cat": 1},
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
