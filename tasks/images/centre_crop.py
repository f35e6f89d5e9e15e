"""The centre of images, as networks of transformers and ResNets are trained and evaluated on.

Images are resized to more than the network's size, and their centre is used: at 0.875 of ImageNet,
224 pixels of 256.
"""

from dataclasses import replace
from typing import Any

from stores.features.recipe import Recipe
from tasks.errors import InputError

CROP_FRACTION = "crop_fraction"  # in a recipe's arguments of the backbone
_SMALLEST = 0.25


def uncropped(recipe: Recipe) -> Recipe:
    """Return the recipe of the images whose centre is used; itself, if all of an image is.

    Raises InputError for a fraction that no description may have.
    """
    arguments = dict(recipe.backbone_arguments)
    fraction = arguments.pop(CROP_FRACTION, 1.0)
    if not isinstance(fraction, int | float) or not _SMALLEST <= fraction <= 1:
        raise InputError(f"recipe {recipe}: {CROP_FRACTION} {fraction!r}: expected 0.25 to 1")
    if fraction == 1:
        return recipe
    height, width = (round(side / fraction) for side in recipe.image_size)
    kept = tuple(arguments.items())
    return replace(recipe, image_size=(height, width), backbone_arguments=kept)


def centres(pixels: Any, size: tuple[int, int]) -> Any:  # noqa: ANN401
    """Return the centres (n, *size, 3) of larger images, an array or a tensor."""
    top, left = ((n - own) // 2 for n, own in zip(pixels.shape[1:3], size, strict=True))
    return pixels[:, top : top + size[0], left : left + size[1]]
