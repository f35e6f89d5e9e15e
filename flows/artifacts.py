"""What a run shows on a Prefect server that stays: its name, artifacts, and one event."""

import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote as quoted
from uuid import UUID

from httpx import HTTPError
from prefect.artifacts import (
    create_image_artifact,
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.context import FlowRunContext
from prefect.events import emit_event
from prefect.logging import get_run_logger
from prefect.runtime import deployment, flow_run
from prefect.settings import PREFECT_API_URL

from flows.parameters.features import FeatureParameters
from stores.printable import visible
from stores.runs.record import TestOpening
from stores.runs.store import RunStore
from stores.storage.location import StoreLike
from tasks.evaluation.selection import expected_in_words
from tasks.execution.progress import watched
from tasks.export.markdown import block, escape
from tasks.report.candidates import candidates_of
from tasks.report.leaderboard import differences, settings_in

EXTRACTED = "gargalo.features.extracted"
# A shorter computation is over before anybody looks at how far it is.
LONG_SECONDS = 10.0
SECONDS_BETWEEN = 5.0
MOST_HEADS = 20
_ACCOUNTED = (
    "images", "cached", "computed", "checked", "duplicates", "engine", "seconds",
    "images_per_second", "fingerprint",
)  # fmt: skip


def run_name() -> str:
    """Return the name of a flow's run: the flow, what it is about, and of which features."""
    given = dict(flow_run.parameters)
    asked = given.pop("parameters", None)
    about = [Path(str(value)).name for value in list(given.values())[:1] if value]
    if isinstance(asked, FeatureParameters):
        about.append(f"by {asked.backbone} {' '.join(asked.tap)}".rstrip())
    return visible(" ".join([flow_run.flow_name or "run", *about]))


def show_accounting(extracted: dict[str, Any]) -> None:
    """Keep what was taken from the store and what was computed, as a table."""
    with _showing() as showing:
        if showing:
            create_table_artifact(
                [{name: extracted[name] for name in _ACCOUNTED}],
                key=_key("accounting", extracted["dataset"]),
                description=f"Features of {escape(extracted['dataset'])}: "
                "images = cached + computed + duplicates",
            )


def show_heads(
    store: StoreLike,
    runs: Sequence[str],
    chosen: str,
    *,
    selection: dict[str, Any],
    report: Path | None = None,
) -> None:
    """Keep how heads did, with a link to the report, and a learning curve."""
    with _showing() as showing:
        if not showing:
            return
        stored = RunStore(store)
        candidates = candidates_of(stored, runs)
        mine = next(one for one in candidates if one["run"].id == chosen)
        dataset = mine["run"].dataset
        create_markdown_artifact(
            "\n".join(_in_markdown(candidates, mine, stored.openings(chosen), selection, report)),
            key=_key("heads", dataset),
            description=f"Heads on {escape(dataset)}",
        )
        # Of the chosen head, or else of the best that learns in epochs.
        if learned := next((one for one in (mine, *candidates) if len(one["history"])), None):
            from tasks.report.charts import as_image, learning_curves

            create_image_artifact(
                as_image(learning_curves(learned["history"], salt="server")[0]),
                key=_key("learning-curve", dataset),
                description=f"Accuracy of {learned['name']} on {escape(dataset)} over the epochs",
            )


def log_told(told: str) -> None:
    """Have the run's log say what the command line prints."""
    if _stays():
        get_run_logger().info("%s", told)


def show_told(what: str, told: str) -> None:
    """Keep what the command line prints, where that is the answer; the log says it too."""
    log_told(told)
    with _showing() as showing:
        if showing:
            create_markdown_artifact(
                block(told), key=_key("answer", what), description=f"What {escape(what)} says"
            )


def is_deployed() -> bool:
    """Tell whether this is the run of a deployment, of which nobody sees an exit code."""
    return bool(deployment.id)


def tell_extracted(dataset: str, asked: FeatureParameters) -> None:
    """Emit for each tap the event that a data set's features are there, with a training's flags.

    A deployment's extract does, so that what a person tries by hand starts nothing.
    """
    if not is_deployed():
        return
    own = {name: getattr(asked, name) for name in FeatureParameters.model_fields}
    for tap in asked.tap:
        parameters = FeatureParameters(**own | {"tap": [tap]}).unusual()
        emit_event(
            EXTRACTED,
            resource={"prefect.resource.id": f"gargalo.data-set.{dataset}"},
            payload={"dataset": dataset, "parameters": parameters},
        )


@contextmanager
def progress_artifact(total: int, doing: str) -> Iterator[None]:
    """Show how much of `total` the block's tasks have done, where it takes long."""
    if not (total and _stays()):
        yield
        return
    progress = _Progress(total, doing)
    with watched(progress.advance):
        yield


class _Progress:
    """A progress artifact, which is there once a computation turns out to be long."""

    def __init__(self, total: int, doing: str) -> None:
        self._total, self._doing, self._done = total, doing, 0
        self._began = self._said = time.monotonic()
        self._artifact: UUID | None = None
        self._lock = threading.Lock()

    def advance(self, count: int) -> None:
        """Count what more is done; called from any thread."""
        with self._lock:
            self._done += count
            now, finished = time.monotonic(), self._done >= self._total
            long = self._artifact or now - self._began >= LONG_SECONDS
            if not long or (now - self._said < SECONDS_BETWEEN and not finished):
                return
            self._said = now
            with _showing() as showing:
                if showing:
                    self._show(100 * min(1.0, self._done / self._total))

    def _show(self, percent: float) -> None:
        if self._artifact is None:
            key = _key("progress", self._doing)
            made = create_progress_artifact(percent, key=key, description=self._doing)
            self._artifact = cast("UUID", made)  # outside of an event loop it is no coroutine
        else:
            update_progress_artifact(self._artifact, percent)


def _stays() -> bool:
    """Tell whether a flow runs here whose server is there afterwards too."""
    return bool(PREFECT_API_URL.value()) and FlowRunContext.get() is not None


@contextmanager
def _showing() -> Iterator[bool]:
    """Tell whether to show anything; a server that does not take it is no reason to fail."""
    try:
        yield _stays()
    except HTTPError as error:
        get_run_logger().warning("an artifact was not kept: %s", error)


def _key(what: str, about: str) -> str:
    """Return an artifact's key: lower-case letters, digits and dashes; its versions share it."""
    return re.sub(r"[^a-z0-9]+", "-", f"{what}-{about}".lower()).strip("-")


def _in_markdown(
    candidates: Sequence[dict[str, Any]],
    chosen: dict[str, Any],
    openings: Sequence[TestOpening],
    selection: dict[str, Any],
    report: Path | None,
) -> Iterator[str]:
    yield f"# {escape(chosen['run'].dataset)}"
    yield f"\nChosen on validation: **{escape(chosen['name'])}**, {_told(chosen['validation'])}."
    if selection["tried"] > 1:
        yield f"E{expected_in_words(selection)[1:]}."
    if openings:
        metrics = openings[-1].metrics.items()
        told = (f"{n.removeprefix('test_').replace('_', ' ')} {value:.4f}" for n, value in metrics)
        yield f"On the test split: {', '.join(told)}."
    yield "\n| head | train | validation | run | settings that differ |\n|---|---|---|---|---|"
    differ = differences(map(_settings, candidates))
    for one in candidates[:MOST_HEADS]:
        name = f"**{escape(one['name'])}**" if one is chosen else escape(one["name"])
        accuracies = f"{_told(one['train'])} | {_told(one['validation'])}"
        run = one["run"].id
        yield f"| {name} | {accuracies} | `{run[:16]}` | {escape(differ[run])} |"
    if len(candidates) > MOST_HEADS:
        yield f"\nand {len(candidates) - MOST_HEADS} more"
    if report:
        where = report.absolute()
        yield f"\nReport: [{escape(where)}](file://{quoted(str(where))})"


def _settings(candidate: dict[str, Any]) -> tuple[str, str, dict[str, Any]]:
    run = candidate["run"]
    told = {"parameters": run.parameters, "specification": run.head, "seed": run.seed}
    return run.id, run.head["kind"], settings_in(told)


def _told(accuracy: float | None) -> str:
    return "–" if accuracy is None else f"{accuracy:.4f}"
