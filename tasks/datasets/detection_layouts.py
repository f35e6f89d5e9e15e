"""Object detection data sets (YOLO, Roboflow, Pascal VOC), which have no class folders."""

import os
from collections.abc import Sequence
from pathlib import Path

from tasks.errors import InputError
from tasks.images.image_files import IMAGE_ENDINGS

_PICTURES = {"images", "image", "img", "imgs", "jpegimages"}
_ABOUT = {"labels", "label", "labeltxt", "annotations", "annotation", "imagesets", "xmls"}


def check_no_detection(folder: Path, names: Sequence[str]) -> None:
    """Raise InputError if the folders are those of a detection data set: images and labels."""
    folded = {name.lower(): name for name in names}
    pictures, about = folded.keys() & _PICTURES, folded.keys() & _ABOUT
    if not pictures or not about or folded.keys() - _PICTURES - _ABOUT:
        return
    labels = folded[min(about)]
    if not any(_has_image(folder / folded[name]) for name in about):
        raise InputError(
            f"{folder}: looks like an object detection data set: {folded[min(pictures)]}/ beside "
            f"{labels}/, which has no images; expected one folder of images per class, such as "
            "cat/ and dog/; move the images into class folders"
        )


def _has_image(folder: Path) -> bool:
    return any(
        name.lower().endswith(IMAGE_ENDINGS) for _, _, files in os.walk(folder) for name in files
    )
