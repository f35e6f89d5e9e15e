"""Shards on the workers of a Dask cluster of processes."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from distributed import Client

from flows.stages.runners import Runner
from stores.features.store import FeatureStore
from stores.manifest import Manifest
from tasks.datasets import ingest
from tests.deployments.conftest import write_photos
from tests.support.places import ROOT

ASKED = ("--image-size", "160", "--shard-size", "16", "--engine", "keras")


@pytest.fixture
def cluster(tmp_path):
    """A Dask scheduler's address, and four workers as processes."""
    file = tmp_path / "scheduler.json"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    started = []

    def start(*arguments):
        command = [sys.executable, "-m", "dask", *arguments, "--scheduler-file", str(file)]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        started.append(subprocess.Popen(command, env=environment, cwd=tmp_path, **quiet))
        return started[-1]

    scheduler = start(
        "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--no-show"
    )
    workers = [start("worker", "--nthreads", "1", "--no-nanny", "--no-dashboard") for _ in range(4)]
    deadline = time.monotonic() + 60
    while not file.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    try:
        yield json.loads(file.read_text())["address"], workers, scheduler
    finally:
        for process in started:
            process.kill()
            process.wait()


def values(store):
    """Return keys and values of all that is stored."""
    keys = Manifest.read(store, "many").select().keys
    return keys, FeatureStore.open(store).read(keys)


def kill_after_a_shard(process, folder):
    """Kill a process once something is stored, and more is being computed."""
    while not list(folder.glob("features/*/shards/*.h5")):
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)


@pytest.mark.server
def test_a_worker_that_is_killed_costs_its_shard_and_all_is_as_one_process_gives(
    run_json, cluster, tmp_path, monkeypatch
):
    write_photos(tmp_path / "many", of_a_class=150)
    address, workers, _ = cluster
    monkeypatch.setattr(ingest, "examine", lambda *_: pytest.fail("read by the command itself"))
    watching = threading.Thread(target=kill_after_a_shard, args=(workers[0], tmp_path / "far"))
    watching.start()
    dask = ("--runner", "dask", "--dask-address", address, "--store", "far")
    told = run_json("extract", "many", *ASKED, *dask)
    watching.join()
    assert workers[0].wait(timeout=10) == -signal.SIGKILL
    assert told["computed"] == 300
    run_json("extract", "many", *ASKED, "--store", "near")
    (keys, far), (same, near) = values(tmp_path / "far"), values(tmp_path / "near")
    assert np.array_equal(keys, same)
    assert np.array_equal(far, near)


@pytest.mark.server
def test_a_scheduler_that_goes_away_is_one_line_and_finished_shards_stay(run, cluster, tmp_path):
    write_photos(tmp_path / "many", of_a_class=150)
    address, _, scheduler = cluster
    watching = threading.Thread(target=kill_after_a_shard, args=(scheduler, tmp_path / "far"))
    watching.start()
    dask = ("--runner", "dask", "--dask-address", address, "--store", "far")
    code, _, errors = run("extract", "many", *ASKED, *dask)
    watching.join()
    (error,) = [line for line in errors.splitlines() if line.startswith("error: ")]
    assert (code, "the Dask scheduler disappeared" in error) == (1, True), errors
    assert "finished work is kept; run the command again to resume" in error
    assert list((tmp_path / "far").glob("features/*/shards/*.h5"))


@pytest.mark.parametrize("scheme", ["tcp", "tls"])
def test_a_scheduler_that_is_not_there_is_one_line(run, photos, monkeypatch, scheme):
    monkeypatch.setattr("flows.stages.runners.CONNECT_SECONDS", 1)
    asked = ("--runner", "dask", "--dask-address", f"{scheme}://127.0.0.1:1")
    code, _, errors = run("extract", photos, "--image-size", "32", *asked)
    assert (code, errors.count("\n")) == (2, 1), errors
    assert f"--dask-address {scheme}://127.0.0.1:1: no Dask scheduler answers" in errors


def test_an_address_needs_the_runner(run, photos):
    code, _, errors = run("extract", photos, "--dask-address", "tcp://127.0.0.1:1")
    assert (code, "--dask-address requires --runner dask" in errors) == (2, True)


@pytest.mark.server
def test_a_cluster_of_its_own_lets_in_nobody_else():
    with Runner("dask")._dask() as runner:
        address = runner.client.scheduler.address
        assert address.startswith("tls://127.0.0.1:")
        with pytest.raises(OSError, match=r"closed|timed out|Timed out"):
            Client(address.replace("tls", "tcp"), timeout=5)
