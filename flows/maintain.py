"""Maintain: `python -m flows.maintain stats|verify|reindex|gc|list|merge`.

Command 11: Check, tidy and merge stores.

Example:
    >>> gargalo.maintain("verify", store="feature-store").verify
"""

from typing import Literal, cast

from flows.artifacts import run_name, show_text
from flows.cli.command_line import command_line
from flows.orchestration.served_flow import flow
from flows.parameters.runs import MaintainParameters
from flows.parameters.store import is_deployed
from flows.summaries.stores import (
    GarbageSummary,
    ListSummary,
    MaintainSummary,
    MergeSummary,
    ReindexSummary,
    StatsSummary,
    VerifySummary,
)
from flows.text.stores import maintain_text
from stores.storage.location import StoreLike
from tasks.errors import InputError
from tasks.maintenance.maintain import (
    checkpoint_stats_task,
    collect_task,
    list_task,
    merge_task,
    reindex_task,
    stats_task,
    verify_task,
)

Action = Literal["stats", "verify", "reindex", "gc", "list", "merge"]


@flow(name="maintain", flow_run_name=run_name)
def maintain(
    action: Action, *, parameters: MaintainParameters = MaintainParameters()
) -> MaintainSummary:
    """Look after a store.

    Args:
        action: stats: sizes of all features and checkpoints; verify: read every byte of features,
            data sets, runs and checkpoints, set damaged features aside; reindex: make the index
            again from the shards; gc: list what nobody needs, with --delete remove it; list: data
            sets, recipes, runs and fine-tunings that are not finished; merge: take over the
            features, data sets and runs of another store, --from, that are missing in this one.
        parameters: Which store.
    """
    summary = _look_after(action, parameters)
    show_text(f"maintain {action}", maintain_text(summary))
    if is_deployed() and found_damage(summary):
        from prefect.states import Failed

        what = "damage was found: see the text of maintain, among the artifacts"
        return cast("MaintainSummary", Failed(message=what))
    return summary


def _look_after(action: Action, parameters: MaintainParameters) -> MaintainSummary:
    store: StoreLike = parameters.store
    match action:
        case "gc":
            grace, delete = 3600 * parameters.grace_hours, parameters.delete
            found = collect_task(store, grace_seconds=grace, delete=delete)
            return GarbageSummary(found, deleted=delete)
        case "stats":
            return StatsSummary(stats_task(store), checkpoint_stats_task(store))
        case "merge":
            if parameters.other is None:
                raise InputError("merge: from which store? give its folder with --from")
            return MergeSummary(parameters.other.show(), merge_task(store, parameters.other))
        case "verify":
            return VerifySummary(verify_task(store))
        case "reindex":
            return ReindexSummary(reindex_task(store))
        case "list":
            return ListSummary(list_task(store))


def found_damage(summary: MaintainSummary) -> bool:
    """Return whether `verify` or `merge` found something wrong, which is exit code 1."""
    if isinstance(summary, VerifySummary):
        return any(summary.verify.values())
    return isinstance(summary, MergeSummary) and bool(summary.merge.damaged)


if __name__ == "__main__":
    command_line(maintain, maintain_text, failed=found_damage)
