"""What a flow shows on a Prefect server that stays; without one, Prefect is not even imported."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flows.parameters.features import FeatureParameters
from flows.parameters.store import is_deployed
from stores.storage.location import StoreLike
from tasks.execution.steps import is_without_prefect
from tasks.features.accounting import ExtractSummary
from tasks.report.heads_summary import HeadsSummary


def run_name() -> str:
    """Return the name of a flow's run: the flow, its data, and its features."""
    from flows.orchestration import artifacts

    return artifacts.run_name()


def show_accounting(extracted: ExtractSummary) -> None:
    """Keep what was taken from the store and what was computed, as a table."""
    if _stays():
        from flows.orchestration import artifacts

        artifacts.show_accounting(extracted)


def show_heads(summary: HeadsSummary, store: StoreLike, *, report: Path | None = None) -> None:
    """Keep how heads did, with a link to the report, and a learning curve."""
    if _stays():
        from flows.orchestration import artifacts

        artifacts.show_heads(summary, store, report=report)


def log_text(text: str) -> None:
    """Write what the command line prints to the run's log, too."""
    if _stays():
        from flows.orchestration import artifacts

        artifacts.log_text(text)


def show_text(what: str, text: str) -> None:
    """Keep what the command line prints as an artifact, and in the run's log."""
    if _stays():
        from flows.orchestration import artifacts

        artifacts.show_text(what, text)


def emit_extracted(dataset: str, features: FeatureParameters) -> None:
    """Emit for each tap the event that a data set's features are there, with a training's flags.

    A deployment's extract does, so that what a person tries by hand starts nothing.
    """
    if is_deployed():
        from flows.orchestration import artifacts

        artifacts.emit_extracted(dataset, features)


@contextmanager
def progress_artifact(total: int, doing: str) -> Iterator[None]:
    """Show how much of `total` the block's tasks have done, once that turns out to take long."""
    if not (total and _stays()):
        yield
        return
    from flows.orchestration import artifacts

    with artifacts.progress_artifact(total, doing):
        yield


def _stays() -> bool:
    """Return whether a flow runs here whose server is there afterwards too."""
    if "prefect" not in sys.modules or is_without_prefect():
        return False
    from prefect.context import FlowRunContext
    from prefect.settings import PREFECT_API_URL

    return FlowRunContext.get() is not None and bool(PREFECT_API_URL.value())
