"""A sweep that cannot be is refused before any head is trained."""

import pytest

from flows.parameters.heads import SweepParameters
from flows.sweep import requested_sweep
from tasks.errors import InputError
from tasks.heads.presets import DEFAULT_HEADS

BOTH = "backbone=m.onnx,lenet5"


@pytest.mark.parametrize(
    ("grid", "flags"), [([BOTH], {"preset": "clip"}), ([BOTH, "preset=clip"], {})]
)
def test_a_preset_of_files_alone_is_to_be_in_their_description(grid, flags):
    parameters = SweepParameters(head=["ridge"], grid=grid, **flags)
    match = 'as m.onnx, and lenet5 has .*; write preset = "clip" into m.onnx.toml, and'
    with pytest.raises(InputError, match=match):
        requested_sweep(None, parameters)


@pytest.mark.parametrize(
    ("grid", "flags"), [([BOTH], {}), (["backbone=m.onnx,b.onnx"], {"preset": "clip"})]
)
def test_a_preset_of_all_backbones_or_of_none_is_taken(grid, flags):
    space = requested_sweep(None, SweepParameters(head=["ridge"], grid=grid, **flags))
    assert len(space.features["backbone"]) == 2


def test_a_flag_that_no_head_of_a_sweep_takes_is_refused_not_ignored():
    requested_sweep(None, SweepParameters(head=["ridge", "dense"], epochs=5))
    with pytest.raises(InputError, match="--epochs: not a setting of --head ridge"):
        requested_sweep(None, SweepParameters(head=["ridge"], epochs=5))


def test_the_heads_of_a_sweep_follow_from_the_target():
    kinds = [kind for kind, _ in requested_sweep(None, SweepParameters(), "number").heads]
    assert kinds == list(DEFAULT_HEADS["number"])
    with pytest.raises(InputError, match="head svm: cannot learn a number; expected one of dense"):
        requested_sweep(None, SweepParameters(head=["svm"]), "number")
