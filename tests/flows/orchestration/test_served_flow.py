import pytest

from flows.orchestration.served_flow import ServedFlow
from tests.flows.cli.test_command_line import FLOWS
from tests.support.flows import flow_of


@pytest.mark.parametrize("name", [*FLOWS, "finetune"])
def test_every_flow_has_a_server_wherever_it_is_called_from(name):
    flow = flow_of(name)
    assert isinstance(flow, ServedFlow)
    assert flow.name == name
    changed = flow.with_options(name="another")
    assert isinstance(changed, ServedFlow)
    assert (changed.name, changed.fn) == ("another", flow.fn)
