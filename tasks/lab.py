"""What the report shows beyond one head: all heads, how sure they are, labels, and likeness."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from stores.features import FeatureStore
from stores.manifest import SPLITS, Manifest
from stores.run import Run
from stores.runs import RunStore
from tasks.comparison import Estimate, estimate_of_the_chosen, held_out_answers
from tasks.heads.examples import flat
from tasks.judged import Judged
from tasks.metrics import reliability
from tasks.survey import MOST_COMPARED, maps, near_duplicates, sample

MOST_SWEPT = 12  # parameters that are drawn
MOST_MAPPED = 500  # images on the map
MOST_PAIRS = 12
_FEATURES = ("backbone", "image_size", "tap", "pooling", "precision")
_SIDE = 72  # of an image on the map, in pixels


def all_heads(runs: RunStore, chosen: Run, candidates: Sequence[Run]) -> dict[str, Any]:
    """Return what the candidates say together: an honest estimate, and charts of all of them."""
    from tasks.charts import all_curves

    alike = [run for run in candidates if _measured_alike(run, chosen)]
    histories = [(run.id == chosen.id, runs.history(run.id)) for run in alike]
    told = [(mine, history) for mine, history in histories if len(history)]
    return {
        "estimate": _estimate(runs, alike),
        "swept": _swept(alike),
        "all_curves": all_curves(
            [history for _, history in told],
            chosen=next((n for n, (mine, _) in enumerate(told) if mine), -1),
            salt="all",
        )
        if len(told) > 1
        else None,
        "failures": [run for run in candidates if run.failure],
    }


def calibration(judged: Judged, score_name: str) -> Markup | None:
    """Return the reliability curve of a head that gives probabilities."""
    from tasks.charts import reliability_curve

    if score_name != "probability" or not judged.keys:
        return None
    return reliability_curve(reliability(judged.scores, judged.true), salt="reliability")


def survey_of(manifest: Manifest, run: Run, store: Path) -> dict[str, Any]:
    """Return a map of the images by their features, and near-duplicates across the splits."""
    from tasks.pictures import thumbnail

    images = manifest.select()
    features = FeatureStore.open(store, run.fingerprint)
    folder = Path(manifest.folder)
    chosen = sample(images.labels, MOST_MAPPED)
    places = maps(flat(features.read(images.keys[chosen])))
    keys = [entry.key for entry in manifest.of_status("accepted")]
    entry_of = dict(zip(keys, manifest.of_status("accepted"), strict=True))
    entries = [entry_of[key] for key in dict.fromkeys(keys)]

    def shown(n: int, side: int) -> dict[str, Any]:
        entry = entries[n]
        src = thumbnail(folder / entry.path, entry.key, side=side) if entry.key else ""
        return {"path": entry.path, "src": src, "label": entry.label, "split": entry.split}

    pairs = None
    if len(entries) <= MOST_COMPARED:
        splits = [entry.split or SPLITS[0] for entry in entries]
        pairs = near_duplicates(flat(features.read(images.keys)), splits)
    return {
        "methods": list(places),
        "points": [
            {
                "places": [(float(at[n][0]), float(at[n][1])) for at in places.values()],
                "number": int(images.labels[chosen[n]]),
                **shown(int(chosen[n]), _SIDE),
            }
            for n in range(len(chosen))
        ]
        if places
        else [],
        "images": len(entries),
        "pairs": None
        if pairs is None
        else [
            {
                "similarity": pair.similarity,
                "first": shown(pair.first, _SIDE * 2),
                "second": shown(pair.second, _SIDE * 2),
            }
            for pair in pairs[:MOST_PAIRS]
        ],
        "all_pairs": len(pairs or ()),
    }


def _measured_alike(run: Run, other: Run) -> bool:
    same = (run.dataset_digest, run.folds) == (other.dataset_digest, other.folds)
    return same and not run.failure


def _estimate(runs: RunStore, alike: Sequence[Run]) -> Estimate | None:
    answers = held_out_answers(runs, alike)
    return estimate_of_the_chosen(answers) if len(alike) > 1 and answers.size else None


def _swept(runs: Sequence[Run]) -> list[Markup]:
    """Draw the accuracy against each parameter that varies, a head's setting within its kind."""
    from tasks.charts import swept

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
    return charts[:MOST_SWEPT]


def _value(run: Run, name: str) -> Any:  # noqa: ANN401  a setting's
    value = run.head.get(name, run.parameters.get(name))
    return value[0] if name in _FEATURES and isinstance(value, list) else value
