"""Runs: `python -m flows.runs list|show|compare|export`."""

from pathlib import Path
from typing import Literal

from flows.cli.command_line import Summary, command_line
from flows.orchestration.served_flow import flow
from flows.parameters.runs import RunsParameters
from flows.text.heads import tell_runs
from flows.text.stores import many
from tasks.errors import InputError
from tasks.execution.output_paths import check_output
from tasks.inference.table_files import ENDINGS, write_table
from tasks.maintenance.maintain import check_exists
from tasks.report.leaderboard import compared, leaderboard, run_facts

Action = Literal["list", "show", "compare", "export"]
_ARGUMENTS = {"list": 0, "show": 1, "compare": 2, "export": 1}


@flow(name="runs")
def runs(
    action: Action,
    names: tuple[str, ...] = (),
    *,
    parameters: RunsParameters = RunsParameters(),
) -> Summary:
    """Look at the runs of a store.

    Args:
        action: list: the leaderboard; show RUN: one run, whole; compare RUN RUN: whether two
            really differ; export FILE: the leaderboard as .csv, .parquet or .json.
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
        return {"action": action, "run": run_facts(store, names[0])}
    if action == "compare":
        return {"action": action, **compared(store, *names)}
    table = leaderboard(store, dataset=parameters.dataset, sort_by=parameters.sort_by)
    if action == "export":
        write_table(table, Path(names[0]))
        return {"action": action, "file": names[0], "runs": table.num_rows}
    about = parameters.model_dump(include={"limit", "sort_by"})
    return {"action": action, "runs": table.to_pylist(), **about}


if __name__ == "__main__":
    command_line(runs, tell_runs, needs_server=False)
