"""What a preset's folder says is read without KerasHub, and what is not KerasHub's is refused."""

import json
import shutil

import pytest

from tasks.backbones.files.digest import file_digest
from tasks.backbones.files.found import found_in_file
from tasks.backbones.files.preset_folder import preset_files, preset_input
from tasks.errors import InputError
from tests.support.keras_presets import SIDE, VIT, written


def part(name, module="keras_hub.src.models.vit.vit_layers", **more):
    """Return the serialised object of a class."""
    return {"class_name": name, "module": module, "config": {}, "registered_name": name} | more


def test_the_digest_is_of_the_network_and_not_of_its_place(tmp_path):
    folder = written(tmp_path / "vit")
    before = file_digest(folder)
    moved = shutil.copytree(folder, tmp_path / "moved")
    (moved / "task.json").write_text("{}")
    assert file_digest(moved) == before
    for name in ("config.json", "model.weights.h5"):
        other = shutil.copytree(folder, tmp_path / name)
        (other / name).write_bytes((other / name).read_bytes() + b" ")
        assert file_digest(other) != before


def test_weights_in_parts_count(tmp_path):
    folder = written(tmp_path / "vit")
    (folder / "model.weights.h5").rename(folder / "model_00000.weights.h5")
    (folder / "model_00001.weights.h5").write_bytes(b"more")
    index = folder / "model.weights.json"
    index.write_text(json.dumps({"weight_map": {"a": ["model_00001.weights.h5"]}}))
    names = ["config.json", "model.weights.json", "model_00000.weights.h5"]
    assert [path.name for path in preset_files(folder)] == [*names, "model_00001.weights.h5"]
    for name in ("../w.weights.h5", "/etc/passwd", "w.txt"):
        index.write_text(json.dumps({"weight_map": {"a": name}}))
        with pytest.raises(InputError, match=r"model.weights.json: weights in .*; refused"):
            preset_files(folder)


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("config.json", "a folder without config.json; expected the name of a backbone, a file"),
        ("model.weights.h5", "model.weights.h5: file not found; it has the network's weights"),
    ],
)
def test_what_is_missing_is_named(tmp_path, name, match):
    folder = written(tmp_path / "vit")
    (folder / name).unlink()
    with pytest.raises(InputError, match=match):
        found_in_file(str(folder))


@pytest.mark.parametrize("package", ["keras_hub", "keras_nlp"])
def test_earlier_presets_are_read_too(tmp_path, package):
    assert preset_input(written(tmp_path / "vit", package=package)) == (-1, SIDE, SIDE, 3)


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"registered_name": "mine>ViTBackbone"}, "mine>ViTBackbone is not one of"),
        ({"registered_name": "ViTBackbone"}, "ViTBackbone is not one of KerasHub's own classes"),
        ({"module": "os", "class_name": "system"}, "is not one of Keras's or KerasHub's own"),
        ({"module": "keras_hub.src.utils.preset_utils"}, "is not one of Keras's or KerasHub's own"),
        ({"config": VIT | {"a": [part("Lambda", "keras.layers")]}}, "Lambda has Python code"),
        (
            {"config": VIT | {"a": part("T", "keras_hub.src.models.vit.vit_tokenizer")}},
            "T is not one of Keras's or KerasHub's own classes",
        ),
        ({"config": VIT | {"dtype": "bfloat16"}}, "it computes in bfloat16; save it again"),
        (
            {
                "config": VIT
                | {"dtype": part("DTypePolicy", "keras", config={"name": "mixed_float16"})}
            },
            "it computes in mixed_float16; set the dtype policy",
        ),
        ({"config": {"vocabulary_size": 9}}, "ViTBackbone takes no images, but text; give a"),
        ({"config": {}}, "ViTBackbone takes no images; give a preset of a network of images"),
        ({"config": {"image_shape": [3, 32, 32]}}, r"image_shape \[3, 32, 32\], expected \[height"),
        ({"config": []}, "not the configuration of a KerasHub backbone"),
    ],
    ids=str,
)
def test_what_is_not_to_be_loaded_is_one_line(tmp_path, changed, match):
    folder = written(tmp_path / "vit", **changed)
    with pytest.raises(InputError, match=match) as error:
        found_in_file(str(folder))
    assert str(folder) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ('{"model_type": "vit"}', "a model of Hugging Face Transformers, expected a preset of"),
        ('{"architecture": "resnet50"}', "a model of timm, expected a preset of KerasHub"),
        ("[]", "not JSON of a preset, or damaged: it is no object; copy it again"),
        ("hello", "not JSON of a preset, or damaged"),
        ("[" * 5000, "not JSON of a preset, or damaged"),
        ('{"config": {}, "class_name": ' + "[" * 900 + "]" * 900 + "}", "config.json: "),
    ],
    ids=range(6),
)
def test_another_configuration_is_one_line(tmp_path, content, match):
    folder = written(tmp_path / "vit")
    (folder / "config.json").write_text(content)
    with pytest.raises(InputError, match=match) as error:
        found_in_file(str(folder))
    assert "\n" not in str(error.value)
