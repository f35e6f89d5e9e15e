"""Maintain: `python -m flows.maintain stats|verify|reindex|gc|list`."""

from pathlib import Path
from typing import Literal

from prefect import flow

from flows.command_line import Summary, command_line
from flows.parameters import MaintainParameters
from flows.server_view import run_name
from flows.telling import tell_maintain
from tasks.maintain import (
    checkpoint_stats_task,
    collect_task,
    list_task,
    reindex_task,
    stats_task,
    verify_task,
)

Action = Literal["stats", "verify", "reindex", "gc", "list"]


@flow(name="maintain", flow_run_name=run_name)
def maintain(action: Action, *, parameters: MaintainParameters = MaintainParameters()) -> Summary:
    """Look after a store.

    Args:
        action: stats: sizes of all features and checkpoints; verify: read every byte of features,
            data sets, runs and checkpoints, set damaged features aside; reindex: make the index
            again from the shards; gc: list what nobody needs, with --delete remove it; list: data
            sets, recipes, runs and fine-tunings that are not finished.
        parameters: Which store.
    """
    store: Path = parameters.store
    if action == "gc":
        found = collect_task(
            store, grace_seconds=3600 * parameters.grace_hours, delete=parameters.delete
        )
        return {"action": action, "deleted": parameters.delete, "garbage": found}
    if action == "stats":
        kept = {"stats": stats_task(store), "checkpoints": checkpoint_stats_task(store)}
        return {"action": action, **kept}
    tasks = {"verify": verify_task, "reindex": reindex_task, "list": list_task}
    return {"action": action, action: tasks[action](store)}


def found_damage(summary: Summary) -> bool:
    """Tell whether `verify` found something wrong, which is exit code 1."""
    return any(summary.get("verify", {}).values())


if __name__ == "__main__":
    command_line(maintain, tell_maintain, failed=found_damage)
