import pytest

from flows.parameters.heads import TrainParameters
from tasks.heads import KINDS
from tasks.heads.presets import flag_of, settings_of


@pytest.mark.parametrize("kind", KINDS)
def test_each_setting_of_a_head_has_a_flag(kind):
    flags = {f"--{name.replace('_', '-')}" for name in TrainParameters.model_fields}
    assert [setting for setting in settings_of(kind) if flag_of(setting) not in flags] == []
