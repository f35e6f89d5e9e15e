"""What the report shows beyond one head: all heads' charts, calibration, a map of the images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from markupsafe import Markup

from stores.errors import MissingFeatures, NotInStore
from stores.features.store import FeatureStore
from stores.manifest import Manifest
from stores.runs.record import Run
from stores.storage.location import StoreLike
from stores.targets import MAIN_FIGURE
from tasks.evaluation.calibrated import Honest
from tasks.evaluation.duplicate_search import ShownImage, kinds_of, shown_image
from tasks.evaluation.image_map import maps, sample
from tasks.features.accounting import RecipeSummary
from tasks.features.request import FEATURE_SETTINGS
from tasks.features.vectors import vectors
from tasks.report.heads_summary import HeadsSummary
from tasks.report.settings import in_one_word
from tasks.report.trained_head import TrainedHead

MOST_CURVES = 5  # heads whose learning curves are drawn
MOST_SWEPT = 12  # parameters that are drawn
MOST_MAPPED = 500  # images on the map
_SIDE = 72  # of an image on the map, in pixels


@dataclass(frozen=True)
class Curves:
    """Learning curves: each of some heads' by itself, the chosen one's first, and all in one."""

    drawn: list[tuple[TrainedHead, list[Markup]]]
    with_epochs: int  # heads
    without_epochs: list[TrainedHead]
    all_heads: Markup | None  # None: there are too few


@dataclass(frozen=True)
class MapPoint:
    """An image on the map."""

    places: list[tuple[float, float]]  # one a method
    colour: str
    image: ShownImage


@dataclass(frozen=True)
class ImageMap:
    """A map of the images by their features, or why there is none."""

    methods: list[str]
    images: int
    key: list[tuple[str, str]]  # what each colour is, and the colour
    points: list[MapPoint]
    why_not: str  # there is no point; empty where there are
    colours_are: str = ""  # a sentence, where it is not the class


def curves_of(
    heads: HeadsSummary, histories: Mapping[str, pa.Table], comparable: Sequence[Run]
) -> Curves:
    """Draw the learning curves of heads, by the histories of their runs.

    Those that are `comparable` are drawn in one picture, too.
    """
    from tasks.report.charts import all_curves, learning_curves

    learned = [head for head in heads.best_first if len(histories[head.run])]
    learned.sort(key=lambda head: head.run != heads.run)
    # A fine-tuning's curve begins with that of the head that it started from.
    starts = {run.finetuning.get("started_from") for run in comparable}
    ids = [run.id for run in comparable if run.id not in starts and len(histories[run.id])]
    return Curves(
        drawn=[
            (head, learning_curves(histories[head.run], salt=head.run[:16]))
            for head in learned[:MOST_CURVES]
        ],
        with_epochs=len(learned),
        without_epochs=[head for head in heads.best_first if not len(histories[head.run])],
        all_heads=all_curves(
            [histories[run] for run in ids],
            chosen=ids.index(heads.run) if heads.run in ids else -1,
            salt="all",
        )
        if len(ids) > 1
        else None,
    )


def comparable_runs(run: Run, candidates: Sequence[Run]) -> list[Run]:
    """Return the candidates with a result that were measured on the same images as a run."""
    names = ("dataset_digest", "folds", "fold_seed")
    return [
        other
        for other in candidates
        if not other.failure and all(getattr(run, n) == getattr(other, n) for n in names)
    ]


def swept_charts(runs: Sequence[Run]) -> list[Markup]:
    """Draw the main figure against each parameter that varies, a head's setting within its kind."""
    from tasks.report.charts import swept

    kinds = list(dict.fromkeys(run.head["kind"] for run in runs))
    panels = [("", name, runs) for name in ("kind", *FEATURE_SETTINGS)]
    for kind in kinds:
        of_kind = [run for run in runs if run.head["kind"] == kind]
        names = [name for name in of_kind[0].head if name not in {"kind", "version"}]
        about = f"{kind}: " if len(kinds) > 1 else ""
        panels += [(about, name, of_kind) for name in names]
    charts: list[Markup] = []
    for about, name, some in panels:
        having = [run for run in some if name in run.head or name in run.parameters]
        values = [_value(run, name) for run in having]
        if len(set(map(str, values))) > 1:
            figure = MAIN_FIGURE[having[0].target]
            found = [run.metrics[f"validation_{figure.name}"] for run in having]
            title = about + name.replace("_", " ")
            salt = f"swept-{len(charts)}"
            charts.append(swept(title, values, found, salt=salt, measured=figure))
    return charts


def reliability_curves(found: Honest) -> list[Markup]:
    """Draw accuracy against confidence before and after the calibration."""
    from tasks.report.charts import reliability_curve

    return [
        reliability_curve(one.bins, title=title, salt=f"reliability-{n}")
        for n, (title, one) in enumerate({"before": found.before, "after": found.after}.items())
    ]


def map_of(manifest: Manifest, run: Run, store: StoreLike) -> ImageMap:
    """Return a map of the images by their features."""
    from tasks.report.map_colours import colours_of

    images = manifest.select()
    chosen = sample(kinds_of(images.labels), MOST_MAPPED)
    keys = images.keys[chosen]
    try:
        rows = vectors(FeatureStore.open(store, run.fingerprint), keys)
    except (NotInStore, MissingFeatures):  # deleted, or damaged, after the head was trained
        return ImageMap([], len(images.keys), [], [], "its features are not in the store any more")
    places, colours = maps(rows), colours_of(images.labels, manifest.classes, manifest.target)
    points = [
        MapPoint(
            [(float(at[n][0]), float(at[n][1])) for at in places.values()],
            colours.of_images[place],
            shown_image(manifest, images, place, _SIDE),
        )
        for n, place in enumerate(chosen.tolist() if places else ())
    ]
    why_not = "" if points else "too few images"
    return ImageMap(list(places), len(images.keys), colours.key, points, why_not, colours.sentence)


def recipe_labels(recipes: Sequence[RecipeSummary]) -> dict[str, str]:
    """Return the tap of each recipe, and the settings in which it differs, by fingerprint."""
    values = {
        one.fingerprint: {n: getattr(one.recipe, n) for n in FEATURE_SETTINGS.values()}
        for one in recipes
    }
    differing = {
        name
        for settings in values.values()
        for name, value in settings.items()
        if any(other[name] != value for other in values.values())
    }
    if "backbone" in differing:
        differing -= {"weights", "preprocessing"}  # of another backbone they are always others
    return {
        fingerprint: ", ".join(
            "×".join(map(str, value)) if isinstance(value, tuple) else str(value)
            for name, value in settings.items()
            if name in differing | {"tap"}
        )
        for fingerprint, settings in values.items()
    }


def _value(run: Run, name: str) -> Any:  # noqa: ANN401  a setting's
    value = run.head.get(name, run.parameters.get(name))
    return (in_one_word(value) or "none") if isinstance(value, list) else value
