"""What a run shows on a Prefect server that stays: its name, artifacts, and one event."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from prefect.artifacts import (
    create_image_artifact,
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.events import emit_event
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL

from flows.cli.progress import Paced
from flows.orchestration.auth_string import may_receive
from flows.orchestration.served_reports import register
from flows.parameters.features import FeatureParameters
from stores.printable import visible
from stores.runs.store import RunStore
from stores.storage.location import StoreLike
from tasks.evaluation.selection import expected_in_words, plain_figure
from tasks.execution.progress import watched
from tasks.export.markdown import block, escape
from tasks.features.accounting import ExtractSummary
from tasks.report.heads_summary import HeadsSummary
from tasks.report.trained_head import TrainedHead

EXTRACTED = "gargalo.features.extracted"
# A shorter computation needs no progress artifact.
LONG_SECONDS = 10.0
SECONDS_BETWEEN = 5.0
MOST_HEADS = 20
_ACCOUNTED = (
    "images", "cached", "computed", "checked", "duplicates", "engine", "seconds",
    "images_per_second", "fingerprint",
)  # fmt: skip


def run_name() -> str:
    """Return the name of a flow's run: the flow, its data, and its features."""
    given = dict(flow_run.parameters)
    parameters = given.pop("parameters", None)
    about = [Path(str(value)).name for value in list(given.values())[:1] if value]
    if isinstance(parameters, FeatureParameters):
        about.append(f"by {parameters.backbone} {' '.join(parameters.tap)}".rstrip())
    return visible(" ".join([flow_run.flow_name or "run", *about]))


def show_accounting(extracted: ExtractSummary) -> None:
    """Keep what was taken from the store and what was computed, as a table."""
    _keep(
        create_table_artifact,
        [{name: getattr(extracted, name) for name in _ACCOUNTED}],
        key=_key("accounting", extracted.dataset),
        description=f"Features of {escape(extracted.dataset)}: "
        "images = cached + computed + duplicates",
    )


def show_heads(summary: HeadsSummary, store: StoreLike, *, report: Path | None = None) -> None:
    """Keep how heads did, with a link to the report, and a learning curve."""
    _keep(
        create_markdown_artifact,
        "\n".join(_in_markdown(summary, report)),
        key=_key("heads", summary.dataset),
        description=f"Heads on {escape(summary.dataset)}",
    )
    _show_learning_curve(summary, RunStore(store))


def _show_learning_curve(summary: HeadsSummary, stored: RunStore) -> None:
    """Show that of the chosen head, or else of the best that learns in epochs."""
    for head in (summary.chosen, *summary.best_first):
        history = stored.history(head.run)
        if len(history):
            from tasks.report.charts import as_image, learning_curves

            _keep(
                create_image_artifact,
                as_image(learning_curves(history, salt="server")[0]),
                key=_key("learning-curve", summary.dataset),
                description=f"Learning curve of {head.head} on {escape(summary.dataset)}",
            )
            return


def log_text(text: str) -> None:
    """Write what the command line prints to the run's log, too."""
    get_run_logger().info("%s", text)


def show_text(what: str, text: str) -> None:
    """Keep what the command line prints as an artifact, and in the run's log."""
    log_text(text)
    key, description = _key("answer", what), f"Output of {escape(what)}"
    _keep(create_markdown_artifact, block(text), key=key, description=description)


def emit_extracted(dataset: str, features: FeatureParameters) -> None:
    """Emit for each tap the event that a data set's features are there, with a training's flags."""
    for tap in features.tap:
        parameters = features.features_alone(tap=[tap]).unusual()
        emit_event(
            EXTRACTED,
            resource={"prefect.resource.id": f"gargalo.data-set.{dataset}"},
            payload={"dataset": dataset, "parameters": parameters},
        )


@contextmanager
def progress_artifact(total: int, doing: str) -> Iterator[None]:
    """Show how much of `total` the block's tasks have done, once that turns out to take long."""
    artifact: Any = None

    def show() -> None:
        nonlocal artifact
        percent = 100 * min(1.0, paced.done / total)
        if artifact:
            _keep(update_progress_artifact, artifact, percent)
        elif paced.seconds >= LONG_SECONDS:
            key = _key("progress", doing)
            artifact = _keep(create_progress_artifact, percent, key=key, description=doing)

    paced = Paced(total, SECONDS_BETWEEN, show)
    with watched(paced.advance):
        yield


def _keep(create: Callable[..., Any], *content: Any, **about: str) -> Any:  # noqa: ANN401
    """Make an artifact; a server that refuses it is no reason to fail."""
    try:
        return create(*content, **about)
    except httpx.HTTPError as error:
        get_run_logger().warning("an artifact was not kept: %s", error)


def _key(what: str, about: str) -> str:
    """Return an artifact's key: lower-case letters, digits and dashes; its versions share it."""
    return re.sub(r"[^a-z0-9]+", "-", f"{what}-{about}".lower()).strip("-")


def _in_markdown(summary: HeadsSummary, report: Path | None) -> Iterator[str]:
    chosen, heads = summary.chosen, summary.best_first
    yield f"# {escape(summary.dataset)}"
    figure = _figure(chosen.validation_figure)
    by = "" if summary.target == "classes" else f"by {summary.figure.words} "
    yield f"\nChosen {by}on {summary.measured_on}: **{escape(chosen.head)}**, {figure}."
    if summary.selection and summary.selection.tried > 1:
        yield f"E{expected_in_words(summary.selection)[1:]}."
    if metrics := summary.test_metrics:
        words = {name.removeprefix("test_").replace("_", " "): v for name, v in metrics.items()}
        named = (f"{name} {plain_figure(value)}" for name, value in words.items())
        yield f"On the test split: {', '.join(named)}."
    yield f"\n| head | train | {summary.measured_on} | run | settings that differ |"
    yield "|---|---|---|---|---|"
    yield from (_row(head, chosen=head is chosen) for head in heads[:MOST_HEADS])
    if len(heads) > MOST_HEADS:
        yield f"\nand {len(heads) - MOST_HEADS} more"
    if report:
        where, address = escape(report.absolute()), _address_of(report)
        yield f"\nReport: [{where}]({address})" if address else f"\nReport, a file: {where}"


def _address_of(report: Path) -> str | None:
    """Return where the server shows the report, if it does: one of `flows.server`, on this machine.

    The file of a report is no link: a browser opens no file from a server's page.
    """
    api, auth_string = PREFECT_API_URL.value() or "", PREFECT_API_AUTH_STRING.value()
    if not (auth_string and api.endswith("/api") and may_receive(api)):
        return None
    address = api.removesuffix("/api") + register(report, auth_string)
    try:
        return address if httpx.get(address, timeout=10).is_success else None
    except httpx.HTTPError:
        return None


def _row(head: TrainedHead, *, chosen: bool) -> str:
    name = f"**{escape(head.head)}**" if chosen else escape(head.head)
    figures = f"{_figure(head.train_figure)} | {_figure(head.validation_figure)}"
    return f"| {name} | {figures} | `{head.run[:16]}` | {escape(head.differing)} |"


def _figure(value: float | None) -> str:
    return "–" if value is None else plain_figure(value)
