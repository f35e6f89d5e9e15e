"""The colours of images on the map: by class, by the most frequent label, or by number."""

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.colors import to_hex

from stores.target_values import Targets
from stores.targets import Target
from tasks.report.charts import class_colours

_STEPS = 5  # numbers in the key
_NONE = "#8a939c"  # of an image without a label


@dataclass(frozen=True)
class MapColours:
    """A colour for each image, and what the colours are."""

    of_images: list[str]
    key: list[tuple[str, str]]  # name and colour
    sentence: str = ""


def colours_of(labels: Targets, classes: Sequence[str], target: Target) -> MapColours:
    """Return the colours of images with these labels."""
    if target == "number":
        return _of_numbers(labels, classes[0])
    colours = class_colours(len(classes))
    if target == "classes":
        names = list(zip(classes, colours, strict=True))
        return MapColours([colours[n] for n in labels.tolist()], names)
    order = np.argsort(-labels.sum(axis=0), kind="stable")
    first = np.where(labels.any(axis=1), order[labels[:, order].argmax(axis=1)], -1)
    names = [(classes[int(n)], colours[int(n)]) for n in order if labels[:, n].any()]
    if (first < 0).any():
        names.append(("no label", _NONE))
    return MapColours(
        [colours[n] if n >= 0 else _NONE for n in first.tolist()],
        names,
        "The colour is that of the most frequent of an image's labels.",
    )


def _of_numbers(numbers: Targets, name: str) -> MapColours:
    # By rank: a few large numbers would leave one colour to all others.
    ranks = np.searchsorted(np.sort(numbers), numbers) / max(1, len(numbers) - 1)
    colours = mpl.colormaps["viridis"]
    shares = np.linspace(0, 1, _STEPS)
    ends = np.quantile(numbers, shares).tolist() if len(numbers) else [0.0] * _STEPS
    return MapColours(
        [to_hex(colours(rank)) for rank in ranks.tolist()],
        [(f"{end:g}", to_hex(colours(share))) for end, share in zip(ends, shares, strict=True)],
        f"The colour is the {name}, by its rank among all images.",
    )
