import subprocess
import sys

import pytest

from flows.orchestration.prefect_flow import PrefectFlow
from flows.orchestration.served_flow import ServedFlow
from tests.flows.cli.test_command_line import FLOWS
from tests.support.flows import flow_of


@pytest.mark.parametrize("name", [*FLOWS, "finetune"])
def test_every_flow_has_a_server_wherever_it_is_called_from(name):
    flow = flow_of(name)
    assert isinstance(flow, PrefectFlow)  # Prefect is imported: it looks for its own flows
    assert flow.name == name
    changed = flow.with_options(name="another")
    assert isinstance(changed, PrefectFlow)
    assert (changed.name, changed.fn) == ("another", flow.fn)


def test_a_prefect_flow_is_made_when_it_is_asked_for():
    flow = ServedFlow(lambda number: number + 1, {"name": "add", "threads": 2})
    assert (flow.name, flow.fn(1)) == ("add", 2)
    assert "prefect" not in vars(flow)
    assert isinstance(flow.prefect, PrefectFlow)
    assert flow.with_options(name="more").name == "more"
    with pytest.raises(AttributeError, match="no_such"):
        _ = flow.no_such


WITHOUT_PREFECT = """
import sys
import gargalo
from flows.extract import extract
from flows.pipeline import pipeline
from flows.train import train
assert "prefect" not in sys.modules
"""


def test_a_flow_is_imported_without_prefect():
    """The kind: one import at the top of a module, and each command takes seconds longer."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_PREFECT], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
