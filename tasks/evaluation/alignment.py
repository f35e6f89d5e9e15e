"""Alignment of small grey pictures: whether one is a crop of what the other shows."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Pictures = NDArray[np.float32]  # (n, side, side)

_STEPS, _LAST_CHANCE = 8, 3  # of the search, and those after which hopeless pairs are dropped
_HOPELESS = 0.4  # crops of half an image correlate by more after three steps
_LEAST_OVERLAP = 0.5
# The most that one picture is larger than the other, and that it moves, as shares of the side.
_SMALLEST, _LARGEST, _FARTHEST = 0.55, 1.6, 0.3


def aligned_correlation(
    first: NDArray[Any], second: NDArray[Any], *, drop_hopeless: bool = False
) -> NDArray[np.float64]:
    """Return the correlation of each pair, (n,), where the second is scaled and moved to match.

    Width and height are scaled apart, as for crops that were stretched to a square. The correlation
    is over the pixels that both show, at least half of them, and does not depend on brightness or
    contrast. By Gauss-Newton steps from the pair as it is: B. Lucas and T. Kanade, An iterative
    image registration technique, IJCAI 1981. With `drop_hopeless` a pair that is far from matching
    is not pursued, and its correlation is too low.
    """
    first, second = first.astype(np.float32), second.astype(np.float32)
    count, side, _ = first.shape
    steepness = np.gradient(second, axis=(1, 2))
    warp = np.tile(np.array([1, 1, 0, 0], np.float32), (count, 1))  # scale and shift in y, x
    best, going = np.full(count, -1.0), np.arange(count)
    for step in range(_STEPS + 1):
        fixed, scale, shift = first[going], warp[going, :2], warp[going, 2:]
        rows, columns = (_interpolation(scale[:, n], shift[:, n], side) for n in (0, 1))
        turned = columns[0].transpose(0, 2, 1)
        moved, down, across = (rows[0] @ x[going] @ turned for x in (second, *steepness))
        seen = rows[1][:, :, np.newaxis] * columns[1][:, np.newaxis]
        best[going] = np.maximum(best[going], _correlation(fixed, moved, seen))
        if step == _STEPS:
            break
        warp[going] = _stepped(warp[going], fixed, moved, (down, across), seen)
        if drop_hopeless and step == _LAST_CHANCE:
            going = going[best[going] >= _HOPELESS]
            if not len(going):
                break
    return best


def _interpolation(scale: Pictures, shift: Pictures, side: int) -> tuple[Pictures, Pictures]:
    """Return (n, side, side) weights of linear interpolation along an axis, and what is inside."""
    middle = (side - 1) / 2
    at = scale[:, np.newaxis] * (np.arange(side, dtype=np.float32) - middle)
    at += shift[:, np.newaxis] + middle
    inside = ((at >= -0.5) & (at <= side - 0.5)).astype(np.float32)
    distance = np.clip(at, 0, side - 1)[:, :, np.newaxis] - np.arange(side, dtype=np.float32)
    return np.maximum(1 - np.abs(distance), 0), inside


def _stepped(
    warp: Pictures,
    fixed: Pictures,
    moved: Pictures,
    steepness: tuple[Pictures, Pictures],
    seen: Pictures,
) -> Pictures:
    """Return the warp after one step: least squares for it, and for contrast and brightness."""
    count, side, _ = fixed.shape
    place = np.arange(side, dtype=np.float32) - (side - 1) / 2
    down, across = steepness
    terms = (down * place[:, np.newaxis], across * place, down, across, moved, np.ones_like(moved))
    effects = np.stack(terms, axis=1).reshape(count, 6, -1)
    weighted = effects * seen.reshape(count, 1, -1)
    equations = weighted @ effects.transpose(0, 2, 1)
    size = np.trace(equations, axis1=1, axis2=2)[:, np.newaxis, np.newaxis]
    ridge = np.diag([1e-3, 1e-3, 1e-3, 1e-3, 1e-6, 1e-6]).astype(np.float32)  # of flat pictures
    solved = np.linalg.solve(
        equations + ridge * (size + 1), weighted @ fixed.reshape(count, -1, 1)
    )[..., 0]
    contrast = np.maximum(np.abs(solved[:, 4:5]), 0.2) * np.where(solved[:, 4:5] < 0, -1, 1)
    most = np.array([0.1, 0.1, 0.1 * side, 0.1 * side], np.float32)
    far = _FARTHEST * side
    stepped = warp + np.clip(solved[:, :4] / contrast, -most, most)
    low, high = [_SMALLEST, _SMALLEST, -far, -far], [_LARGEST, _LARGEST, far, far]
    return np.asarray(np.clip(stepped, low, high), np.float32)


def _correlation(first: Pictures, second: Pictures, seen: Pictures) -> NDArray[np.float64]:
    """Return the correlation over what is seen, (n,); -1 where that is too little."""
    total = np.maximum(seen.sum(axis=(1, 2), keepdims=True), 1)
    one, other = (
        seen * (x - (x * seen).sum(axis=(1, 2), keepdims=True) / total) for x in (first, second)
    )
    size = np.sqrt((one**2).sum(axis=(1, 2)) * (other**2).sum(axis=(1, 2)))
    found = (one * other).sum(axis=(1, 2)) / np.maximum(size, 1e-6)
    return np.where(seen.mean(axis=(1, 2)) >= _LEAST_OVERLAP, found, -1.0)
