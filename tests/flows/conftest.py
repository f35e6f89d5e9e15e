import json
import shutil
import sys
from importlib import import_module
from pkgutil import resolve_name

import numpy as np
import pytest
from PIL import Image
from prefect import tags
from prefect.settings import PREFECT_LOGGING_TO_API_ENABLED, temporary_settings
from xdist import is_xdist_worker

from flows.cli.command_line import command_line
from flows.cli.work import nothing
from flows.finetune import diverged
from flows.maintain import found_damage
from flows.predict import nothing_predicted
from tests.support.flows import flow_of
from tests.support.prefect_server import OURS, shared_server

FAILED = {"finetune": diverged, "maintain": found_damage, "predict": nothing_predicted}


@pytest.fixture(scope="session")
def server(tmp_path_factory, request):
    """A real Prefect server on a free loopback port, one for all processes of pytest-xdist."""
    base = tmp_path_factory.getbasetemp()
    with shared_server((base.parent if is_xdist_worker(request) else base) / "prefect") as server:
        yield server


@pytest.fixture
def prefect_environment(server):
    """The environment that leads to the server."""
    return server.environment


@pytest.fixture
def prefect_settings(server):
    """Lead this process's flows to the server."""
    # Its worker would outlive the server, and try to reach it for a minute.
    own = server.settings | {PREFECT_LOGGING_TO_API_ENABLED: False}
    with temporary_settings(own), tags(OURS):
        yield


@pytest.fixture
def run(prefect_settings, tmp_path, monkeypatch, capfd):
    """Run `python -m flows.NAME …` in an empty folder, but in this process, which spares imports.

    Returns exit code, standard output and standard error.
    """
    monkeypatch.chdir(tmp_path)

    def run(name, *arguments):
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        capfd.readouterr()
        flow = flow_of(name)
        text = resolve_name(f"flows.{name}:{name}_text")
        try:
            module = import_module(f"flows.{name}")
            work = getattr(module, f"{name}_work", lambda *_, **__: nothing)
            command_line(flow, text, work=work, failed=FAILED.get(name, lambda _: False))
        except SystemExit as end:
            return (end.code, *capfd.readouterr())
        return (0, *capfd.readouterr())

    return run


@pytest.fixture
def run_json(run):
    """Run a flow with --json and return its summary."""

    def run_json(name, *arguments):
        code, output, errors = run(name, *arguments, "--json")
        assert code == 0, errors
        return json.loads(output.splitlines()[-1])

    return run_json


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The module's first store by `once`: a copy, and its summary."""
    return {"store": tmp_path_factory.mktemp("made") / "feature-store"}


@pytest.fixture
def once(made, tmp_path):
    """Make a store in this test's folder: by the flows for the module's first, else by a copy.

    The copies' manifest leads to the photos of the first, which no test of the module may change.
    """

    def once(make):
        own = tmp_path / "feature-store"
        if "summary" in made:
            shutil.copytree(made["store"], own)
            return made["summary"]
        summary = make()
        shutil.copytree(own, made["store"])
        made["summary"] = summary
        return summary

    return once


@pytest.fixture
def photos(tmp_path):
    """A folder of two classes of 15 noisy pictures each: reddish and bluish."""
    rng = np.random.default_rng(0)
    for channel, name in ((0, "reddish"), (2, "bluish")):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(15):
            pixels = rng.integers(0, 120, (40, 48, 3), dtype=np.uint8)
            pixels[..., channel] += 100
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{number}.png")
    return tmp_path / "photos"
