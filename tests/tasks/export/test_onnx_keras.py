"""A head on a backbone of Keras is one ONNX model, which says what its run says."""

from dataclasses import replace
from types import SimpleNamespace

import onnx
import pytest

from tasks.errors import InputError
from tasks.export import onnx_keras
from tasks.export.write import check_formats
from tests.support.extraction import write_old_folder
from tests.support.samples import RECIPE
from tests.tasks.export.test_write import MOBILENET, exported


@pytest.fixture(scope="module")
def pets(tmp_path_factory):
    return write_old_folder(tmp_path_factory.mktemp("export") / "pets")


@pytest.mark.parametrize(
    ("kind", "asked"),
    [
        ("logistic", MOBILENET),
        ("dense", {"aspect_ratio": "pad"}),
        ("knn", {"aspect_ratio": "crop"}),
    ],
)
def test_it_says_what_the_run_says(pets, tmp_path, kind, asked):
    pytest.importorskip("tf2onnx")
    expected, found = exported(pets, tmp_path / "model", kind, ("onnx",), **asked)
    assert found["onnx"].within_tolerance
    assert found["onnx"].images == len(expected)
    model = onnx.load(tmp_path / "model/model.onnx")
    (images,), (scores,) = model.graph.input, model.graph.output
    assert (images.name, scores.name) == ("images", "scores")


def test_without_the_package_it_is_named(monkeypatch):
    monkeypatch.setattr(onnx_keras, "find_spec", lambda _: None)
    run = SimpleNamespace(recipe=RECIPE, run=SimpleNamespace(id="0" * 64))
    with pytest.raises(InputError, match=r"needs the package tf2onnx: pip install 'gargalo\[onnx"):
        check_formats(run, ["onnx"])
    preset = replace(RECIPE, backbone="kerashub-0123abcd")
    with pytest.raises(InputError, match="which cannot be written as ONNX; use --format saved-"):
        check_formats(SimpleNamespace(recipe=preset, run=run.run), ["onnx"])
