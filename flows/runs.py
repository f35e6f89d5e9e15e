"""Runs: `python -m flows.runs list|show|compare|export`.

Command 9: List, show, compare and export runs.

Example:
    >>> gargalo.runs("list", dataset="photos").runs
"""

from pathlib import Path
from typing import Literal

from flows.cli.command_line import command_line
from flows.orchestration.served_flow import flow
from flows.parameters.runs import RunsParameters
from flows.summaries.runs import (
    CompareSummary,
    RunsExportSummary,
    RunsListSummary,
    RunsShowSummary,
    RunsSummary,
)
from flows.text.runs import runs_text
from flows.text.stores import many
from tasks.errors import InputError
from tasks.execution.output_paths import check_output
from tasks.inference.table_files import ENDINGS, write_table
from tasks.maintenance.maintain import check_exists
from tasks.report.leaderboard import leaderboard
from tasks.report.run_facts import compared, run_facts

Action = Literal["list", "show", "compare", "export"]
_ARGUMENTS = {"list": 0, "show": 1, "compare": 2, "export": 1}


@flow(name="runs")
def runs(
    action: Action,
    names: tuple[str, ...] = (),
    *,
    parameters: RunsParameters = RunsParameters(),
) -> RunsSummary:
    """List, show, compare and export the runs of a store.

    Args:
        action: list: the leaderboard; show RUN: one run in full; compare RUN RUN: whether two
            differ significantly; export FILE: the leaderboard as .csv, .parquet or .json.
        names: Runs, by their ids or the beginnings of them; or the file.
        parameters: Which runs, in which order.
    """
    store, count = parameters.store, _ARGUMENTS[action]
    if len(names) != count:
        raise InputError(f"{action}: expected {many(count, 'name')} after it, found {len(names)}")
    check_exists(store)
    if action == "export":
        check_output(Path(names[0]), endings=ENDINGS)
    if action == "show":
        return RunsShowSummary(run_facts(store, names[0]))
    if action == "compare":
        return CompareSummary(compared(store, *names))
    table = leaderboard(store, dataset=parameters.dataset, sort_by=parameters.sort_by)
    if action == "export":
        write_table(table, Path(names[0]))
        return RunsExportSummary(names[0], table.num_rows)
    return RunsListSummary(table.to_pylist(), parameters.limit, parameters.sort_by)


if __name__ == "__main__":
    command_line(runs, runs_text, needs_server=False)
