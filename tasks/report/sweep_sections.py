"""What the report shows beyond one head: all heads, how sure they are, a map of the images."""

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from stores.features.store import FeatureStore
from stores.manifest import Manifest
from stores.runs.record import Run
from stores.runs.store import RunStore
from stores.storage.location import StoreLike
from tasks.evaluation.duplicate_search import entries_of, shown_image, vectors
from tasks.evaluation.image_map import maps, sample
from tasks.evaluation.metrics import calibration_error, reliability
from tasks.evaluation.split_result import Judged
from tasks.report.leaderboard import in_one_word

MOST_SWEPT = 12  # parameters that are drawn
MOST_MAPPED = 500  # images on the map
_FEATURES = ("backbone", "image_size", "tap", "pooling", "precision")
_SIDE = 72  # of an image on the map, in pixels


def all_heads(runs: RunStore, chosen: Run, candidates: Sequence[Run]) -> dict[str, Any]:
    """Return charts of all candidates together, and those that failed."""
    from tasks.report.charts import all_curves

    alike = [run for run in candidates if _measured_alike(run, chosen)]
    # A fine-tuning and its start differ in more than a setting.
    swept = [] if chosen.finetuning else _swept(alike)
    # A fine-tuning's curve begins with that of the head that it started from.
    begun = {run.finetuning.get("started_from") for run in alike}
    histories = [(run, runs.history(run.id)) for run in alike if run.id not in begun]
    told = [(run.id == chosen.id, history) for run, history in histories if len(history)]
    return {
        "swept": swept[:MOST_SWEPT],
        "more_swept": max(0, len(swept) - MOST_SWEPT),
        "all_curves": all_curves(
            [history for _, history in told],
            chosen=next((n for n, (mine, _) in enumerate(told) if mine), -1),
            salt="all",
        )
        if len(told) > 1
        else None,
        "failures": [run for run in candidates if run.failure],
    }


def calibration(judged: Judged, score_name: str) -> dict[str, Any] | None:
    """Return the reliability curve of a head that gives probabilities, and its error."""
    from tasks.report.charts import reliability_curve

    if score_name != "probability" or not judged.keys:
        return None
    return {
        "curve": reliability_curve(reliability(judged.scores, judged.true), salt="reliability"),
        "error": calibration_error(judged.scores, judged.true),
    }


def map_of(manifest: Manifest, run: Run, store: StoreLike) -> dict[str, Any]:
    """Return a map of the images by their features; without points where there are too few."""
    from tasks.report.charts import class_colours

    images = manifest.select()
    chosen = sample(images.labels, MOST_MAPPED)
    keys = images.keys[chosen]
    places = maps(vectors(FeatureStore.open(store, run.fingerprint), keys))
    entries = entries_of(manifest)
    return {
        "methods": list(places),
        "images": len(images.keys),
        "colours": class_colours(len(manifest.classes)),
        "points": [
            {
                "places": [(float(at[n][0]), float(at[n][1])) for at in places.values()],
                "number": int(images.labels[chosen[n]]),
                **shown_image(manifest, entries[bytes(key)], _SIDE),
            }
            for n, key in enumerate(keys)
        ]
        if places
        else [],
    }


def _measured_alike(run: Run, other: Run) -> bool:
    names = ("dataset_digest", "folds", "fold_seed")
    return not run.failure and all(getattr(run, n) == getattr(other, n) for n in names)


def _swept(runs: Sequence[Run]) -> list[Markup]:
    """Draw the accuracy against each parameter that varies, a head's setting within its kind."""
    from tasks.report.charts import swept

    kinds = list(dict.fromkeys(run.head["kind"] for run in runs))
    panels = [("", name, runs) for name in ("kind", *_FEATURES)]
    for kind in kinds:
        alike = [run for run in runs if run.head["kind"] == kind]
        names = [name for name in alike[0].head if name not in {"kind", "version"}]
        about = f"{kind}: " if len(kinds) > 1 else ""
        panels += [(about, name, alike) for name in names]
    charts: list[Markup] = []
    for about, name, some in panels:
        having = [run for run in some if name in run.head or name in run.parameters]
        values = [_value(run, name) for run in having]
        if len(set(map(str, values))) > 1:
            accuracies = [run.metrics["validation_accuracy"] for run in having]
            title = about + name.replace("_", " ")
            charts.append(swept(title, values, accuracies, salt=f"swept-{len(charts)}"))
    return charts


def _value(run: Run, name: str) -> Any:  # noqa: ANN401  a setting's
    value = run.head.get(name, run.parameters.get(name))
    return (in_one_word(value) or "none") if isinstance(value, list) else value
