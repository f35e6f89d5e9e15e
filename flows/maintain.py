"""Maintain: `python -m flows.maintain stats|verify|reindex|gc|list|merge`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, cast

from prefect.client.schemas.objects import State
from prefect.states import Failed

from flows.artifacts import is_deployed, run_name, show_told
from flows.cli.command_line import Summary, command_line
from flows.orchestration.served_flow import flow
from flows.parameters.runs import MaintainParameters
from flows.text.stores import tell_maintain
from stores.storage.remote.mirror import shown
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
def maintain(action: Action, *, parameters: MaintainParameters = MaintainParameters()) -> Summary:
    """Look after a store.

    Args:
        action: stats: sizes of all features and checkpoints; verify: read every byte of features,
            data sets, runs and checkpoints, set damaged features aside; reindex: make the index
            again from the shards; gc: list what nobody needs, with --delete remove it; list: data
            sets, recipes, runs and fine-tunings that are not finished; merge: take over the
            features, data sets and runs of another store, --from, that this one lacks.
        parameters: Which store.
    """
    summary = _look_after(action, parameters)
    show_told(f"maintain {action}", tell_maintain(summary))
    if is_deployed() and found_damage(summary):
        what = "damage was found: see what maintain says, among the artifacts"
        damaged: State[Any] = Failed(message=what)
        return cast("Summary", damaged)
    return summary


def _look_after(action: Action, parameters: MaintainParameters) -> Summary:
    store: Path = parameters.store
    if action == "gc":
        found = collect_task(
            store, grace_seconds=3600 * parameters.grace_hours, delete=parameters.delete
        )
        return {"action": action, "deleted": parameters.delete, "garbage": found}
    if action == "stats":
        kept = {"stats": stats_task(store), "checkpoints": checkpoint_stats_task(store)}
        return {"action": action, **kept}
    if action == "merge":
        if parameters.other is None:
            raise InputError("merge: from which store? give its folder with --from")
        taken = merge_task(store, parameters.other)
        return {"action": action, "from": shown(parameters.other), "merge": taken}
    tasks: dict[str, Callable[[Path], Any]] = {
        "verify": verify_task,
        "reindex": reindex_task,
        "list": list_task,
    }
    return {"action": action, action: tasks[action](store)}


def found_damage(summary: Summary) -> bool:
    """Tell whether `verify` or `merge` found something wrong, which is exit code 1."""
    return any(summary.get("verify", {}).values()) or bool(summary.get("merge", {}).get("damaged"))


if __name__ == "__main__":
    command_line(maintain, tell_maintain, failed=found_damage)
