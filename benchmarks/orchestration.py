"""What Prefect costs: a run that has nothing to do, and the flow around a whole extraction."""

import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

from prefect.settings import PREFECT_API_URL, PREFECT_HOME, temporary_settings

from benchmarks.ours import Setting, extract
from benchmarks.timing import Contender, Finding, in_turn
from flows.artifacts import progress_artifact, show_accounting, show_heads
from flows.extract import extract as extract_flow
from flows.extract import extract_stage
from flows.orchestration import artifacts as server_view
from flows.orchestration.prefect_server import prefect_server
from flows.parameters.features import ExtractParameters
from flows.parameters.heads import PipelineParameters
from flows.train import train_stage
from tasks.execution.progress import advance

ROOT = Path(__file__).parents[1]
GROUP = "Prefect"
MINUTE = 60.0
# The least that a flow with one task takes, by the same command line.
ONE_TASK = """
from prefect import flow, task
from flows.cli.command_line import command_line
@task
def one() -> int: return 1
@flow(name="one-task")
def one_task() -> dict: return {"one": one()}
command_line(one_task, str)
"""
# A flow's module, and then a look at what was imported.
WATCHED = """
import runpy, sys
sys.argv = ["extract", *sys.argv[1:]]
try: runpy.run_module("flows.extract", run_name="__main__")
finally: print({"tensorflow", "keras"} & set(sys.modules) or "neither")
"""


def nothing_to_do(
    setting: Setting, environment: dict[str, str], *, rounds: int, temporary: bool
) -> Iterator[Finding]:
    """Measure a run in which all features are there, beside a flow of one empty task.

    With a running server, and with `temporary` also where each run starts its own.
    """
    extract(setting, setting.ingest())
    request = setting.request
    flags = ["--backbone", request.backbone, "--weights", request.weights]
    flags += ["--image-size", str(request.image_size), "--store", str(setting.store)]
    source = [str(setting.folder), "--dataset", "photos", *flags]
    alone = {name: value for name, value in environment.items() if name != "PREFECT_API_URL"}
    modes = {"a running server": environment} | ({"a temporary server": alone} if temporary else {})
    for ways in (WATCHED, *source), (ONE_TASK,):  # what is first read from the disk takes longer
        _python(environment, *ways)
    for mode, variables in modes.items():
        for engine in ("auto", "keras"):
            ours = [*source, "--engine", engine]
            told: list[str] = []
            contenders = {
                "ours": Contender(
                    lambda v=variables, a=ours, t=told: t.append(_python(v, WATCHED, *a))
                ),
                "one task": Contender(partial(_python, variables, ONE_TASK)),
            }
            seconds = in_turn(contenders, rounds=rounds)
            more = zip(seconds["ours"], seconds["one task"], strict=True)
            yield Finding(
                GROUP,
                f"nothing changed, {mode}, --engine {engine}: beyond a flow of one task",
                tuple(a - b for a, b in more),
                "s",
                "≤ 1.0",
                f"imported: {told[-1].splitlines()[-1]}",
            )


def overhead(setting: Setting, environment: dict[str, str], *, rounds: int) -> Finding:
    """Measure the flow's stage, with its tasks and a running server, beside the plain functions."""
    manifest = setting.ingest()
    request = setting.request
    parameters = ExtractParameters(
        store=setting.store,
        backbone=request.backbone,
        weights=request.weights,
        image_size=request.image_size,
    )
    from prefect import flow
    from prefect.task_runners import ThreadPoolTaskRunner

    @flow(
        name="benchmark", task_runner=ThreadPoolTaskRunner(max_workers=2), validate_parameters=False
    )
    def staged() -> int:
        return int(extract_stage(manifest, parameters)[1].computed)

    @flow(name="empty")
    def empty() -> int:
        return 0

    with (
        temporary_settings(_settings(environment)),
        prefect_server(lambda: None),
    ):  # as the command line has it
        staged()
        seconds = in_turn(
            {
                "flow": Contender(staged, setting.forget_features),
                "plain": Contender(lambda: extract(setting, manifest), setting.forget_features),
                "empty": Contender(empty),
            },
            rounds=rounds,
        )
    more = zip(seconds["flow"], seconds["plain"], strict=True)
    extra = median(a - b for a, b in zip(seconds["flow"], seconds["plain"], strict=True))
    images = len(manifest.select().keys)
    about = f"{images} images, {request.backbone} at {request.image_size}"
    what = f"the extract flow over the plain functions, {about}"
    bare = median(seconds["empty"])
    remark = f"{extra:.2f} s, of which a flow without tasks takes {bare:.2f}"
    return Finding(GROUP, what, tuple(100 * (a / b - 1) for a, b in more), "%", "≤ 3", remark)


def artifacts(setting: Setting, environment: dict[str, str], *, rounds: int) -> Finding:
    """Measure what a run of a minute shows on a server: as a share of that minute.

    That is the accounting, the heads, a learning curve, and how far it is every five seconds.
    """
    manifest, request = setting.ingest(), setting.request
    extract(setting, manifest)
    asked = {"store": setting.store, "backbone": request.backbone, "weights": request.weights}
    asked |= {"image_size": request.image_size, "head": ["dense"]}
    parameters = PipelineParameters(**asked)
    updates = int(MINUTE / server_view.SECONDS_BETWEEN)
    from prefect import flow

    @flow(name="shown", validate_parameters=False)
    def shown() -> list[float]:
        accounted = extract_stage(manifest, parameters)[1]
        trained = train_stage(manifest, parameters, tested_by=None)

        def show() -> None:
            show_accounting(accounted)
            show_heads(trained, setting.store)
            with progress_artifact(updates, "extracting"):
                for _ in range(updates):
                    advance(1)

        return in_turn({"show": Contender(show)}, rounds=rounds + 1)["show"][1:]

    with (
        temporary_settings(_settings(environment)),
        prefect_server(lambda: None),
        patch.multiple(server_view, LONG_SECONDS=0.0, SECONDS_BETWEEN=0.0),
    ):
        seconds = shown()
    shares = tuple(100 * each / MINUTE for each in seconds)
    what = f"what a run of a minute shows: 3 artifacts, and {updates} times how far it is"
    return Finding(GROUP, what, shares, "%", "≤ 2", f"{median(seconds):.2f} s")


def through_dask(setting: Setting, environment: dict[str, str], *, rounds: int) -> Finding:
    """Measure the extract flow on a Dask worker, beside the same in threads of this process.

    The cluster is there before, with one worker process that has two threads, as this one has.
    """
    from distributed import LocalCluster

    manifest, request = setting.ingest(), setting.request
    asked = {"backbone": request.backbone, "weights": request.weights}
    asked |= {"image_size": request.image_size, "shard_size": setting.shard_size}
    asked |= {"store": setting.store}

    with (
        temporary_settings(_settings(environment)),
        prefect_server(lambda: None),
        LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address=None) as cluster,
    ):
        flow = partial(extract_flow, manifest.name)
        address = {"runner": "dask", "dask_address": cluster.scheduler_address}
        ways = {"threads": ExtractParameters(**asked), "dask": ExtractParameters(**asked | address)}
        for parameters in ways.values():  # each loads its model once
            setting.forget_features()
            flow(parameters=parameters)
        contenders = {
            name: Contender(partial(flow, parameters=parameters), setting.forget_features)
            for name, parameters in ways.items()
        }
        seconds = in_turn(contenders, rounds=rounds)
    images = len(manifest.select().keys)
    shards = -(-images // setting.shard_size)
    each = median(seconds["threads"]) / shards
    return Finding(
        GROUP,
        f"Dask's workers over threads, {shards} shards of {each:.1f} s, {request.backbone}",
        tuple(100 * (a / b - 1) for a, b in zip(seconds["dask"], seconds["threads"], strict=True)),
        "%",
        "≤ 10",
        "one worker process with two threads, started before",
    )


def _settings(environment: dict[str, str]) -> dict[Any, str]:
    return {setting: environment[setting.name] for setting in (PREFECT_API_URL, PREFECT_HOME)}


def _python(environment: dict[str, str], code: str, *arguments: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=environment,
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
