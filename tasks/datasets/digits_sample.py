"""The embedded sample: scikit-learn's handwritten digits, written out once as PNG files."""

from pathlib import Path

import numpy as np
from PIL import Image

from stores.storage.publish import publish_folder
from stores.storage.safe_files import is_folder

NAME = "digits"


def write_sample(folder: Path) -> Path:
    """Write the 1,797 digits below `folder` as 8×8 grey PNG files, one class folder per digit.

    Returns the folder of class folders. If it exists, nothing is written. The source is
    `sklearn.datasets.load_digits`: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten
    Digits, UCI Machine Learning Repository, 1998; values from 0 to 16.
    """
    target = folder / NAME
    if is_folder(target):
        return target
    from sklearn.datasets import load_digits

    digits = load_digits()
    with publish_folder(target, tmp=folder / "tmp") as draft:
        for number, (image, label) in enumerate(zip(digits.images, digits.target, strict=True)):
            path = draft / str(label) / f"{number:04}.png"
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(np.uint8(np.round(image * 255 / 16))).save(path)
    return target
