"""Images of one group are alike: how many independent images they are worth."""

import numpy as np
from numpy.typing import NDArray

Groups = NDArray[np.int64]  # (images,) a number each; images with the same number are of one group


def group_effect(values: NDArray[np.generic], groups: Groups | None) -> float:
    """Return by how much groups raise the variance of a mean over images: 1 or more.

    `values` (images,) are what is averaged, such as whether each image is right. Dividing a number
    of images by the result gives how many independent images are worth as much: J. N. K. Rao and
    A. J. Scott, A simple method for the analysis of clustered binary data, Biometrics 48 (1992),
    577-585. Where all values are equal, as where all images are right, they cannot tell: the images
    of a group then count as copies (L. Kish, Survey Sampling, Wiley 1965), the most cautious
    answer.
    """
    if groups is None or not len(values):
        return 1.0
    _, which, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    images, count = len(values), len(sizes)
    if count == images:
        return 1.0
    away = values.astype(np.float64) - values.mean()
    alone = float(away @ away) / images**2
    if count == 1 or not alone:
        return float(sizes @ sizes) / images
    sums = np.bincount(which, weights=away)
    together = count / (count - 1) * float(sums @ sums) / images**2
    return max(1.0, together / alone)
