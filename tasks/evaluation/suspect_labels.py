"""Suspect labels: held-out images that a head predicts to be of another class."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stores.keys import ImageKey
from stores.printable import cell, path_cell
from tasks.evaluation.split_result import SplitResult


@dataclass(frozen=True)
class Suspect:
    """One image, its label, and the class that may be right."""

    key: ImageKey
    label: str
    suggested: str
    margin: float  # the score of the suggested class minus that of the label
    likely: bool  # that score is at least the mean of images with that label


def suspects(result: SplitResult) -> list[Suspect]:
    """Return the images that are predicted to be of another class, the largest margin first.

    Ranked by the normalised margin, and `likely` by the class's own threshold, as in C. Northcutt
    et al., Confident Learning, Journal of Artificial Intelligence Research 70 (2021), 1373-1411.
    The predictions have to be held out: a head knows the labels that it was trained on.
    """
    own = result.scores[np.arange(len(result.true)), result.true]
    sure = np.array(
        [
            own[result.true == number].mean() if (result.true == number).any() else np.inf
            for number in range(len(result.classes))
        ]
    )
    highest = result.scores.max(axis=1)
    wrong = np.flatnonzero(result.predicted != result.true)
    order = wrong[np.argsort(own[wrong] - highest[wrong], kind="stable")]
    return [
        Suspect(
            ImageKey(result.keys[n].tobytes()),
            result.classes[result.true[n]],
            result.classes[result.predicted[n]],
            float(highest[n] - own[n]),
            bool(highest[n] >= sure[result.predicted[n]]),
        )
        for n in order.tolist()
    ]


def suspects_csv(found: Sequence[Suspect], paths: Mapping[bytes, str]) -> bytes:
    """Return suspects as CSV: path, label, suggested, margin, likely; the most suspect first."""
    sink = io.StringIO()
    writer = csv.writer(sink)
    writer.writerow(["path", "label", "suggested", "margin", "likely"])
    for suspect in found:
        path = paths.get(bytes(suspect.key), "")
        margin = f"{suspect.margin:.6f}"
        names = [path_cell(path), cell(suspect.label), cell(suspect.suggested)]
        writer.writerow([*names, margin, suspect.likely])
    return sink.getvalue().encode()
