import pytest

from tasks.advice.stage_taps import taps_to_compare
from tasks.backbones import layer_graph as graph
from tasks.errors import InputError


def test_the_ends_of_the_stages_are_found_once_and_remembered(tmp_path, monkeypatch):
    found = taps_to_compare([], "efficientnet_lite0", 32, store=tmp_path)
    assert found[-2:] == ("block6a_expand_activation", "output")
    monkeypatch.delattr(graph, "check_backend")  # without which no backbone is built
    assert taps_to_compare([], "efficientnet_lite0", 32, store=tmp_path) == found


def test_layers_that_were_asked_for_come_before_the_output(tmp_path):
    asked = ["output", "block3b_add", "block5c_add"]
    found = taps_to_compare(asked, "efficientnet_lite0", None, store=tmp_path)
    assert found == ("block3b_add", "block5c_add", "output")


@pytest.mark.parametrize(("backbone", "asked"), [("tiny", []), ("efficientnet_lite0", ["output"])])
def test_an_output_alone_is_compared_with_nothing(tiny, tmp_path, backbone, asked):
    with pytest.raises(InputError, match=f"{backbone}: .*--tap LAYER"):
        taps_to_compare(asked, backbone, None, store=tmp_path)


def test_the_tensors_of_a_file_are_told_by_describe(tmp_path):
    with pytest.raises(
        InputError, match=r"--tap TENSOR; .* `python -m flows.backbone describe m.o"
    ):
        taps_to_compare([], "m.onnx", None, store=tmp_path)
    with pytest.raises(InputError, match=r"--tap TENSOR$"):
        taps_to_compare([], str(tmp_path), None, store=tmp_path)
