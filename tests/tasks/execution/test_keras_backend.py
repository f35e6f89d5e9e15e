"""No setting of Keras or TensorFlow that decides values passes any door to a model or to pixels."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tasks.backbones.layer_graph import build_graph
from tasks.backbones.registry import find_backbone
from tasks.backbones.weights import build_backbone
from tasks.datasets.ingest import ingest
from tasks.errors import InputError
from tasks.execution.keras_backend import check_backend
from tasks.export.formats import read_model, write_model
from tasks.features.engines import load_engine
from tasks.features.job import make_job
from tasks.finetune.network import build_network
from tasks.finetune.specification import DEFAULTS, FineTuning
from tasks.heads.dense.legacy_keras import KerasHead
from tasks.heads.presets import make_head
from tasks.images.augmentation import augmented
from tasks.images.decoding import load_pixels
from tests.support.extraction import REQUEST, replace
from tests.support.images import small_png, write_classes
from tests.support.places import ROOT
from tests.support.samples import RECIPE

SIZE = (32, 32)
LENET = find_backbone("lenet5")
PIXELS = np.zeros((1, *SIZE, 3), np.float32)


def job(engine="keras"):
    request = replace(REQUEST, backbone="lenet5", image_size=32)
    return make_job(request, store=Path("none"), engine=engine)


def finetuned():
    tuning = FineTuning(strategy="full", unfreeze="all", **DEFAULTS["full"])
    head = make_head("dense", {}, classes=2)
    made = job()
    build_network(made.recipes[0], made.weights, head, tuning, classes=2, seed=0)


def ingested(folder):
    write_classes(folder / "pets")
    ingest(folder / "pets", store=folder / "store")


DOORS = {
    "ingest": ingested,
    "pixels": lambda _: load_pixels([small_png(0)], RECIPE),
    "augmentation": lambda _: augmented(PIXELS, "contrast=0.125", draw=(0,)),
    "preprocessing": lambda _: LENET.preprocess(PIXELS),
    "engine by Keras": lambda _: load_engine(job()),
    "engine by OpenVINO": lambda _: load_engine(job("openvino")),
    "graph": lambda _: build_graph(LENET, SIZE),
    "backbone": lambda _: build_backbone(LENET, job().weights, SIZE),
    "fine-tuning": lambda _: finetuned(),
    "export": lambda folder: write_model("keras", None, None, folder),
    "exported model": lambda folder: read_model("saved-model", folder),
    "head of an earlier version": lambda folder: KerasHead(folder / "head.keras"),
}


def option(name):
    return lambda on: tf.config.optimizer.set_experimental_options({name: on})


# What is set, to what, and what it is set back to.
SETTINGS = {
    "floatx": (keras.config.set_floatx, "float16", "float32"),
    "floatx float64": (keras.config.set_floatx, "float64", "float32"),
    "image_data_format": (keras.config.set_image_data_format, "channels_first", "channels_last"),
    "epsilon": (keras.config.set_epsilon, 0.1, 1e-7),
    "dtype policy": (keras.config.set_dtype_policy, "mixed_bfloat16", "float32"),
    "max_epochs": (keras.config.set_max_epochs, 1, None),
    "max_steps_per_epoch": (keras.config.set_max_steps_per_epoch, 1, None),
    "auto_mixed_precision": (option("auto_mixed_precision"), True, False),
    "auto_mixed_precision_onednn_bfloat16": (
        option("auto_mixed_precision_onednn_bfloat16"),
        True,
        False,
    ),
}
VARIABLES = {
    "TF_USE_LEGACY_KERAS": "1",
    "TF_ENABLE_AUTO_MIXED_PRECISION": "1",
    "ONEDNN_DEFAULT_FPMATH_MODE": "BF16",
    "TF_SET_ONEDNN_FPMATH_MODE": "bf16",
    "KERAS_MAX_STEPS_PER_EPOCH": "1",
    "KERAS_NNX_ENABLED": "1",
}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_of_the_program_passes_no_door(tmp_path, name, door):
    change, other, usual = SETTINGS[name]
    change(other)
    try:
        with pytest.raises(InputError, match=name.removesuffix(" float64")) as caught:
            DOORS[door](tmp_path)
    finally:
        change(usual)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("name", VARIABLES)
def test_a_variable_of_the_environment_passes_no_door(tmp_path, monkeypatch, name, door):
    monkeypatch.setenv(name, VARIABLES[name])
    with pytest.raises(InputError, match=f"^{name}={VARIABLES[name]}: .*; unset it$"):
        DOORS[door](tmp_path)


def test_what_changes_nothing_passes(monkeypatch):
    monkeypatch.setenv("TF_USE_LEGACY_KERAS", "0")
    monkeypatch.setenv("ONEDNN_DEFAULT_FPMATH_MODE", "STRICT")
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    monkeypatch.setenv("KERAS_BACKEND", "")
    check_backend()


def test_a_model_is_built_without_rounding_to_ten_bits():
    tf.config.experimental.enable_tensor_float_32_execution(True)
    finetuned()
    assert not tf.config.experimental.tensor_float_32_execution_enabled()


CHECK = """
import sys
from tasks.execution.keras_backend import check_backend
from tasks.errors import InputError
def told():
    try:
        check_backend()
    except InputError as error:
        print(error)
    else:
        print("passed")
told()
if sys.argv[1:] == ["import"]:
    import keras
    told()
else:
    assert "keras" not in sys.modules
"""
KERAS_JSON = {
    "floatx": ("float16", 'change it to "floatx": "float32"'),
    "image_data_format": ("channels_first", 'change it to "image_data_format": "channels_last"'),
    "epsilon": (0.1, 'change it to "epsilon": 1e-07'),
    "backend": ("jax", 'change it to "backend": "tensorflow"'),
}


def checked(folder, *arguments, **variables):
    told = subprocess.run(
        [sys.executable, "-c", CHECK, *arguments],
        env=os.environ | {"KERAS_HOME": str(folder)} | variables,
        check=True,
        capture_output=True,
        text=True,
    )
    return told.stdout.splitlines()


@pytest.mark.parametrize("name", KERAS_JSON)
def test_what_keras_json_says_is_refused_before_keras_is_imported(tmp_path, name):
    value, fix = KERAS_JSON[name]
    (tmp_path / "keras.json").write_text(json.dumps({name: value}))
    expected = json.loads("{" + fix.removeprefix("change it to ") + "}")[name]
    assert checked(tmp_path) == [
        f"Keras's {name} is {value!r}, expected {expected!r}, set "
        f"by {tmp_path / 'keras.json'}; {fix}"
    ]


def test_a_file_that_keras_has_read_is_named(tmp_path):
    (tmp_path / "keras.json").write_text('{"floatx": "float16"}')
    before, after = checked(tmp_path, "import")
    assert before == after
    assert f"set by {tmp_path / 'keras.json'}; change" in before


@pytest.mark.parametrize("content", ["{", "", '{"floatx": "float32"}', None])
def test_a_file_that_says_nothing_else_passes(tmp_path, content):
    if content is not None:
        (tmp_path / "keras.json").write_text(content)
    assert checked(tmp_path) == ["passed"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [("[]", "expected a JSON object"), ('{"nnx_enabled": true}', "nnx_enabled is for JAX")],
)
def test_a_file_that_keras_stumbles_on_is_named(tmp_path, content, expected):
    (tmp_path / "keras.json").write_text(content)
    (told,) = checked(tmp_path)
    assert told.startswith(f"{tmp_path / 'keras.json'}: ")
    assert expected in told


def test_settings_that_are_no_file_are_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "keras.json")
    (told,) = checked(tmp_path)
    assert told == f"{tmp_path / 'keras.json'}: expected a file of Keras's settings; move it away"


def test_another_backend_of_the_environment_is_named(tmp_path):
    assert checked(tmp_path, KERAS_BACKEND="jax") == [
        "Keras's backend is 'jax', expected 'tensorflow', set by KERAS_BACKEND; unset it"
    ]


# Keras itself does not survive the import; so each door is asked whether it gets as far.
DOORS_BEFORE = """
import sys
from pathlib import Path
from types import SimpleNamespace
from tasks.errors import InputError
from tasks.export.write import export
from tasks.finetune.train import finetune
from tasks.finetune.frozen_features import prefix_job
from tasks.heads.dense.trained import _load
from tasks.datasets.ingest import ingest
from tasks.images.pixel_batches import Read, _pixels
folder = Path(sys.argv[1])
doors = [
    lambda: ingest(folder / "pets", store=folder / "store"),
    lambda: _pixels([Read(b"GIF8", 1)], None),
    lambda: finetune(SimpleNamespace(id="0" * 64), store=folder / "store"),
    lambda: prefix_job(None),
    lambda: export(None, [], folder / "model", formats=[], card=None),
    lambda: _load(folder, 2),
]
for door in doors:
    try:
        door()
    except InputError as error:
        print(error)
assert "keras" not in sys.modules
"""


def test_no_door_imports_keras_where_it_would_fail(tmp_path):
    write_classes(tmp_path / "pets")
    (tmp_path / "head.keras").touch()
    (tmp_path / "keras.json").write_text('{"floatx": "float8"}')
    told = subprocess.run(
        [sys.executable, "-c", DOORS_BEFORE, str(tmp_path)],
        env=os.environ | {"KERAS_HOME": str(tmp_path)},
        check=True,
        capture_output=True,
        text=True,
    )
    lines = told.stdout.splitlines()
    assert len(lines) == 6
    assert all(line.startswith("Keras's floatx is 'float8', expected 'float32'") for line in lines)


IMPORTS = """
import importlib, sys
from tasks.errors import InputError
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except InputError as error:
        assert "nonsense" in str(error), error
assert "keras" not in sys.modules
"""
MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for folder in ("tasks", "flows")
    for path in sorted((ROOT / folder).rglob("*.py"))
]


def test_no_module_imports_keras_before_its_settings_are_known(tmp_path):
    """The kind: a setting that we check ends in Keras's own traceback, by another way in."""
    (tmp_path / "keras.json").write_text('{"backend": "nonsense"}')
    variables = os.environ | {"KERAS_HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", IMPORTS, *MODULES], env=variables, check=True)


def test_keras_is_imported_in_one_place():
    """The kind: as above, in a function that nothing calls here."""
    keras_of_its_own = re.compile(r"^\s*(import|from) keras\b", re.MULTILINE)
    found = {
        path.name
        for path in ROOT.glob("tasks/**/*.py")
        if keras_of_its_own.search(path.read_text())
    }
    assert found == {"keras_backend.py", "checked_keras.py"}
