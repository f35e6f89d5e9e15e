"""The calibration of an exported model, and its held-out images for sets, as plain JSON values."""

from typing import Any

import numpy as np

from tasks.evaluation.calibrated import Calibrated, not_calibrated
from tasks.evaluation.calibration import Calibration, ScoreKind
from tasks.evaluation.prediction_sets import HeldOut

MOST = 50_000  # held-out images: more hardly change a limit, and would take megabytes


def as_json(found: Calibrated) -> dict[str, Any]:
    """Return the entries of `classes.json` that hold a calibration."""
    one, images = found.calibration, found.held_out
    every = max(1, -(-len(images.labels) // MOST))  # they are in the order of digests: by chance
    groups = None if images.groups is None else images.groups[::every].tolist()
    return {
        "calibration": {"slope": one.slope, "offset": one.offset, "images": one.images}
        | ({"why_not": one.why_not} if one.why_not else {}),
        "held_out": {
            "labels": images.labels[::every].tolist(),
            "lac": images.lac[::every].tolist(),
            "aps": images.aps[::every].tolist(),
            "groups": groups,
        },
    }


def from_json(about: dict[str, Any], kind: ScoreKind, classes: int) -> Calibrated:
    """Read what `as_json` returned; a model of an earlier version has none, and is not calibrated.

    Raises ValueError, TypeError or KeyError for anything else.
    """
    if "calibration" not in about:
        why_not = "exported by an earlier version of gargalo; export it again"
        return not_calibrated(kind, why_not)
    told, images = dict(about["calibration"]), dict(about["held_out"])
    offset = told["offset"]
    calibration = Calibration(
        kind,
        float(told["slope"]),
        None if offset is None else float(offset),
        int(told["images"]),
        str(told.get("why_not", "")),
    )
    labels = np.array(images["labels"], np.int64)
    lac, aps = (np.array(images[name], np.float64) for name in ("lac", "aps"))
    groups = None if images["groups"] is None else np.array(images["groups"], np.int64)
    columns = [labels, lac, aps, *([] if groups is None else [groups])]
    if any(column.shape != (len(labels),) for column in columns):
        raise ValueError(f"held-out images: {[column.shape for column in columns]}")
    if ((labels < 0) | (labels >= classes)).any() or not np.isfinite([lac, aps]).all():
        raise ValueError("held-out images: no such class, or no number")
    return Calibrated(calibration, HeldOut(labels, lac, aps, groups))
