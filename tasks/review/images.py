"""The images that are reviewed: what the manifest, the journal and stored runs say of each."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from stores.decisions.decided import EXCLUDED, Decided
from stores.keys import KEY_BYTES, ImageKey, Keys, as_arrow, from_arrow
from stores.manifest import Manifest
from stores.manifest_rows import first_of_each
from stores.runs.record import Run
from tasks.evaluation.calibrated import score_kind
from tasks.evaluation.calibration import calibrate
from tasks.evaluation.split_result import evaluate
from tasks.evaluation.suspect_labels import suspects

Codes = NDArray[np.int64]


@dataclass(frozen=True)
class Judged:
    """What a run says of images that it did not learn from; -1 and NaN of all others."""

    run: Run
    predicted: Codes  # (n,) indices of the run's classes
    true: Codes  # (n,) the same, of the label that it was compared with
    margin: NDArray[np.float64]  # (n,) of the other class over the label, where it is suspect
    probability: NDArray[np.float64]  # (n,) of the predicted class, as `predict` shows it
    likely: NDArray[np.bool_]  # (n,) whether the other class is as sure as the images of that class


@dataclass(frozen=True)
class Reviewed:
    """Distinct images, accepted or excluded, in the order of their paths."""

    manifest: Manifest
    rows: pa.Table  # path, key, label, split, status, reason, group, given_label
    judged: tuple[Judged, ...]

    @cached_property
    def keys(self) -> Keys:
        """The images' keys, (n, 32)."""
        return from_arrow(self.rows["key"])

    @cached_property
    def place(self) -> dict[bytes, int]:
        """The number of each image, by its key."""
        return {key: n for n, key in enumerate(self.rows["key"].to_pylist())}

    def __len__(self) -> int:
        return len(self.rows)

    def file(self, n: int) -> tuple[Path, ImageKey]:
        """Return where an image lies, and its key."""
        path = Path(self.manifest.folder) / self.rows["path"][n].as_py()
        return path, ImageKey(self.rows["key"][n].as_py())


@dataclass(frozen=True)
class Labels:
    """The label that each image is to have; `names` grow with labels that are no class yet."""

    names: tuple[str, ...]
    codes: Codes  # (n,) indices of the names
    excluded: NDArray[np.bool_]  # (n,)


def reviewed(manifest: Manifest, judged: tuple[tuple[Run, pa.Table], ...]) -> Reviewed:
    """Return the images of a data set, with the predictions of some runs."""
    columns = ("path", "key", "label", "split", "status", "reason", "group", "given_label")
    rows = first_of_each(manifest.of_status("accepted", "excluded", columns=columns))
    keys = rows["key"].combine_chunks()
    return Reviewed(manifest, rows, tuple(_judged(run, table, keys) for run, table in judged))


def labels_of(images: Reviewed, decided: Decided) -> Labels:
    """Return the labels that images are to have, by the manifest and what was decided since."""
    rows = images.rows
    names = dict.fromkeys((*images.manifest.classes, *sorted(decided.new_labels)))
    code = {name: n for n, name in enumerate(names)}
    codes = pc.index_in(rows["label"], pa.array(list(names), pa.string()))
    found = codes.fill_null(-1).to_numpy().astype(np.int64)
    excluded = pc.equal(rows["status"], "excluded").to_numpy(zero_copy_only=False).copy()
    for key, decision in decided.labels.items():
        if (n := images.place.get(key)) is None:
            continue
        given = rows["given_label"][n].as_py()  # None: nothing corrects it by the manifest
        undone = decided.labels_before.get(key, given)
        label = undone if decision is None else decision
        if label is not None:
            excluded[n] = label == EXCLUDED
            found[n] = found[n] if label == EXCLUDED else code.get(label, found[n])
    return Labels(tuple(names), found, excluded)


def _judged(run: Run, predictions: pa.Table, keys: pa.Array) -> Judged:
    """Return what a run says of images that it did not learn from, where they have a number.

    Those are of validation, or all that its folds held out, and of test once that was opened.
    """
    size = len(keys)
    codes = np.full((2, size), -1, np.int64)
    margin, likely = np.full(size, np.nan), np.zeros(size, np.bool_)
    probability = np.full(size, np.nan)
    held = evaluate(predictions, split="validation", classes=run.classes, folds=run.folds)
    calibration = calibrate(held.scores, held.true, kind=score_kind(run))
    for split in ("validation", "test"):
        result = evaluate(predictions, split=split, classes=run.classes, folds=run.folds)
        places, known = _places(result.keys, keys)
        codes[:, places] = result.predicted[known], result.true[known]
        sure = calibration.probabilities(result.scores)
        own = sure[np.arange(len(sure)), result.predicted]
        probability[places] = own[known]
        found = suspects(result) if split == "validation" else []
        suspect = np.frombuffer(b"".join(one.key for one in found), np.uint8)
        places, known = _places(suspect.reshape(-1, KEY_BYTES), keys)
        margin[places] = np.array([one.margin for one in found], np.float64)[known]
        likely[places] = np.array([one.likely for one in found], np.bool_)[known]
    return Judged(run, codes[0], codes[1], margin, probability, likely)


def _places(some: Keys, keys: pa.Array) -> tuple[Codes, NDArray[np.bool_]]:
    """Return where some keys are among all, and which of them are."""
    found = pc.index_in(as_arrow(some), keys).fill_null(-1).to_numpy().astype(np.int64)
    return found[found >= 0], found >= 0
