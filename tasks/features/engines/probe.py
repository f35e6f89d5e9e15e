"""The photographs on which an engine is compared with Keras, the same for every data set."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# Part of a converted model's identity, because other photographs give other figures.
PROBE_VERSION = 1
# Side and upper left corner of each crop, as fractions of the photograph's height and free space.
_SIDES = (1.0, 0.75, 0.5, 0.3)
_CORNERS = ((0.0, 0.0), (1.0, 1.0))


def probe_pixels(image_size: tuple[int, int]) -> NDArray[np.float32]:
    """Return 16 crops of photographs, (16, height, width, 3), values from 0 to 255.

    They are crops of scikit-learn's `china.jpg` and `flower.jpg`. At bfloat16 the agreement with
    Keras depends on the images: MobileNetV2 at 160 differed by 0.08 on photographs and by 0.16 on
    handwritten digits (mean of the rows' relative differences). So the result must not depend on
    which data set is extracted first.
    """
    from sklearn.datasets import load_sample_images

    height, width = image_size
    return np.stack(
        [
            np.asarray(_crop(Image.fromarray(photo), share, corner).resize((width, height)))
            for photo in load_sample_images().images
            for share in _SIDES
            for corner in _CORNERS
        ]
    ).astype(np.float32)


def _crop(photo: Image.Image, share: float, corner: tuple[float, float]) -> Image.Image:
    side = int(share * min(photo.size))
    left, top = ((whole - side) * at for whole, at in zip(photo.size, corner, strict=True))
    return photo.crop((int(left), int(top), int(left) + side, int(top) + side))
