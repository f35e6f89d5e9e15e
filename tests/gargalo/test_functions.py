"""The commands as functions: the flow's body, without Prefect, in silence."""

import ast
import inspect
import shutil
import socket
import subprocess

import numpy as np
import pytest

import gargalo
from gargalo.public_names import function_names, functions
from tasks.backbones.registry import BACKBONES
from tests.support.extraction import write_image, write_old_folder
from tests.support.tiny import TINY

SMALL = {"backbone": "tiny", "weights": "none"}


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    monkeypatch.setitem(BACKBONES, "tiny", TINY)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with `photos` and a store of them, and what the pipeline returned."""
    folder = tmp_path_factory.mktemp("python")
    write_old_folder(folder / "photos")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(BACKBONES, "tiny", TINY)
        store = folder / "store"
        result = gargalo.pipeline(
            folder / "photos", store=store, head=["ridge", "centroid"], **SMALL
        )
    return folder, result


@pytest.fixture
def alone(monkeypatch):
    """Nothing may be connected to, and no Python process started."""

    def refuse(*arguments):
        raise AssertionError(f"a connection to {arguments[1:]}")

    start = subprocess.Popen.__init__

    def started(self, command, *arguments, **options):
        assert "python" not in str(command), command
        start(self, command, *arguments, **options)

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(subprocess.Popen, "__init__", started)


def test_a_pipeline_needs_no_server_and_prints_nothing(made, alone, tmp_path, capfd):
    folder, before = made
    result = gargalo.pipeline(str(folder / "photos"), store=tmp_path, head="ridge", **SMALL)
    assert capfd.readouterr() == ("", "")
    assert result.extract.computed == 20
    assert result.train.run in {head.run for head in before.train.runs}  # the same head
    assert (tmp_path / "reports").is_dir()


def test_what_is_stored_is_neither_computed_nor_trained_again(made):
    folder, before = made
    store = folder / "store"
    assert gargalo.extract("photos", store=store, **SMALL).computed == 0
    again = gargalo.train("photos", store=store, head=["ridge", "centroid"], **SMALL)
    assert (again.cached, again.run) == (True, before.train.run)


def test_a_sweep_takes_a_grid_of_values_and_its_heads_are_trained_side_by_side(made, capfd):
    folder, _ = made
    grid = {"penalty": np.array([1.0, 10.0]), "standardize": [True, False]}
    swept = gargalo.sweep("photos", store=folder / "store", head="ridge", grid=grid, **SMALL)
    assert (swept.trials, swept.failed) == (4, 0)
    assert capfd.readouterr() == ("", "")


def test_one_image_may_be_given_for_several(made):
    folder, result = made
    image = next((folder / "photos").glob("*/*.png"))
    told = gargalo.predict(result.train.run, image, store=folder / "store")
    assert (told.images, told.cached) == (1, 1)


def test_features_are_an_array_with_a_row_for_each_path(made, capfd):
    folder, _ = made
    store = folder / "store"
    X, paths = gargalo.features(folder / "photos", store=store, **SMALL)  # noqa: N806
    assert (X.shape, X.dtype, len(paths)) == ((20, 8), np.float32, 20)
    images = gargalo.Manifest.read(store, "photos").select()
    assert paths == images.paths.to_pylist()
    assert np.array_equal(X, gargalo.FeatureStore.open(store).read(images.keys))
    again, half = (
        gargalo.features("photos", store=store, **SMALL, **more).X
        for more in ({}, {"dtype": "float16"})
    )
    assert np.array_equal(again, X)
    assert half.dtype == np.float16
    assert capfd.readouterr() == ("", "")


def test_images_without_classes_have_features_and_are_predicted(made, tmp_path):
    folder, result = made
    (tmp_path / "loose" / "deeper").mkdir(parents=True)
    images = sorted((folder / "photos").glob("*/*.png"))
    for number, image in enumerate(images[:3]):
        shutil.copy(image, tmp_path / "loose" / f"{number}.png")
    write_image(tmp_path / "loose" / "3.png", 99)
    asked = {"store": folder / "store", **SMALL}
    with pytest.raises(gargalo.InputError, match="no image in a class folder"):
        gargalo.extract(tmp_path / "loose", **asked)  # a folder may be a class
    (tmp_path / "loose" / "deeper").rmdir()
    told = gargalo.extract(tmp_path / "loose", **asked)
    assert (told.images, told.cached, told.computed) == (4, 3, 1)
    assert told.notes[0].startswith("no labels: features only")
    X, paths = gargalo.features("loose", **asked)  # noqa: N806
    assert (len(X), paths) == (4, ["0.png", "1.png", "2.png", "3.png"])
    said = gargalo.predict(result.train.run, "loose", store=folder / "store")
    assert (said.images, said.cached) == (4, 4)
    shutil.rmtree(tmp_path / "loose")  # what is stored needs no file
    assert gargalo.predict(result.train.run, "loose", store=folder / "store").cached == 4
    for call in (gargalo.train, gargalo.sweep, gargalo.advise):
        with pytest.raises(gargalo.InputError, match=r"'loose' has no labels: .*--labels FILE"):
            call("loose", store=folder / "store")
    write_image(tmp_path / "loose" / "3.png", 99)
    with pytest.raises(gargalo.InputError, match="'loose' has no labels"):
        gargalo.pipeline(tmp_path / "loose", head="ridge", **asked)


def test_results_show_in_a_notebook(made):
    folder, result = made
    page = result._repr_html_()
    assert "<td>cats</td>" in page
    assert "<td>ridge</td>" in page
    assert result.train.chosen.run[:16] in result.train.chosen._repr_html_()
    runs = gargalo.runs("list", store=folder / "store")
    assert runs.runs[0]["run"][:16] in runs._repr_html_()


@pytest.mark.parametrize("call", ["ingest", "extract", "pipeline", "advise"])
def test_a_folder_that_is_not_there_is_one_error(call, tmp_path):
    with pytest.raises(gargalo.InputError, match=r"missing.?: .*folder not found; "):
        getattr(gargalo, call)("missing", store=tmp_path)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: gargalo.extract("x", imge_size=3), "unknown keyword 'imge_size': did you mean im"),
        (lambda: gargalo.extract("x", image_size=-3), "^image_size: .* than 0. Received: -3$"),
        (lambda: gargalo.extract("x", pooling="sum"), "^pooling: .*Received: 'sum'"),
        (lambda: gargalo.extract("x", runner="dask"), "^runner: only for the command"),
        (lambda: gargalo.train("x", tap=["a", "b"]), "expected one tap, received several"),
        (lambda: gargalo.maintain("tidy"), "^action: .*'merge'. Received: 'tidy'"),
        (lambda: gargalo.predict("x", "missing"), "missing: not found"),
    ],
)
def test_a_mistake_is_an_input_error_that_names_the_keyword(call, message):
    with pytest.raises(gargalo.InputError, match=message):
        call()


def test_a_call_that_python_itself_would_refuse_is_a_type_error():
    with pytest.raises(TypeError, match=r"extract\(\) missing a required argument: 'source'"):
        gargalo.extract(image_size=3)


def test_none_is_the_default_of_whatever_it_may_be(made):
    folder, _ = made
    # A name, not a folder: of a folder alone could it be said.
    assert gargalo.extract("photos", store=folder / "store", split_file=None, **SMALL).images == 20


@pytest.mark.parametrize("name", function_names())
def test_each_says_what_it_takes_and_has_an_example_that_could_be_called(name):
    function = getattr(gargalo, name)
    signature, text = inspect.signature(function), inspect.getdoc(function)
    assert all(f"\n    {parameter}: " in text for parameter in signature.parameters)
    assert "--" not in text
    for line in functions()[name].example:
        assert f">>> {line}" in text
        for call in ast.walk(ast.parse(line)):
            if isinstance(call, ast.Call):
                given = {keyword.arg: None for keyword in call.keywords}
                signature.bind(*call.args, **given)
