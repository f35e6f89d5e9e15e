"""A preset's features are those of KerasHub's backbone; only its own classes are loaded."""

import json
import shutil
import sys

import numpy as np
import pytest

from tasks.backbones.files.keras_file import backbone_of
from tasks.errors import InputError, WeightsError
from tasks.features.agreement import agreement
from tasks.features.engines import load_engine
from tasks.features.job import job_of, make_job
from tasks.features.request import FeatureRequest
from tests.support.keras_presets import (
    CNN,
    CONVERTER,
    DINO,
    SIDE,
    STAGES,
    converted,
    hub,
    preset,
    written,
)

KINDS = {
    "vit": {},
    "dino": {"kind": "DINOV2Backbone", "settings": DINO},
    "vgg": {"kind": "VGGBackbone", "settings": CNN},
}


def job(path, store, engine="keras", **asked):
    return make_job(FeatureRequest(str(path), **asked), store=store, engine=engine)


def pixels(count=3, side=SIDE):
    return np.random.default_rng(0).uniform(0, 255, (count, side, side, 3)).astype(np.float32)


def expected(folder, values):
    """Return what KerasHub itself makes of pixels, as its users do."""
    converter = hub().layers.ImageConverter(scale=1 / 127.5, offset=-1.0)
    backbone = hub().models.Backbone.from_preset(str(folder))
    images = converter(values)
    return np.asarray(backbone({"images": images} if isinstance(backbone.input, dict) else images))


@pytest.mark.parametrize("engine", ["keras", "openvino"])
@pytest.mark.parametrize("kind", KINDS)
def test_features_are_those_of_keras_hub(tmp_path, kind, engine):
    folder = preset(tmp_path / kind, **KINDS[kind])
    found = load_engine(job(folder, tmp_path, engine, pooling="none"))
    assert found.name == engine
    rows = expected(folder, pixels())
    assert agreement(rows, found.compute(pixels())[0]).within_tolerance
    assert np.ptp(rows) > 0


@pytest.mark.parametrize(
    ("pooling", "of_tokens"),
    [
        ("cls", lambda rows: rows[:, 0]),
        ("mean-tokens", lambda rows: rows[:, 3:].mean(1)),
        ("cls+mean", lambda rows: np.hstack([rows[:, 0], rows[:, 3:].mean(1)])),
    ],
)
def test_tokens_are_pooled_without_registers(tmp_path, pooling, of_tokens):
    folder = preset(tmp_path / "dino", **KINDS["dino"])
    (found,) = load_engine(job(folder, tmp_path, pooling=pooling)).compute(pixels())
    assert agreement(of_tokens(expected(folder, pixels())), found).within_tolerance


def test_a_tap_is_any_layer_and_another_size_has_the_same_weights(tmp_path):
    folder = preset(tmp_path / "vgg", **KINDS["vgg"])
    made = job(folder, tmp_path, taps=("output", "block1_pool"), image_size=48)
    model = backbone_of(made.recipes[0], str(folder)).build((48, 48))
    own = hub().models.Backbone.from_preset(str(folder)).get_weights()
    for before, after in zip(own, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    assert load_engine(made).feature_shapes == ((8,), (4,))


@pytest.mark.parametrize("engine", ["keras", "openvino"])
def test_of_several_outputs_one_is_named(tmp_path, engine):
    folder = preset(tmp_path / "stages", "HGNetV2Backbone", STAGES)
    outputs = hub().models.Backbone.from_preset(str(folder))(pixels() / 127.5 - 1)
    taps = ("stage1", "stage2")
    found = load_engine(job(folder, tmp_path, engine, taps=taps)).compute(pixels())
    for tap, rows in zip(taps, found, strict=True):
        assert agreement(np.asarray(outputs[tap]).mean((1, 2)), rows).within_tolerance
    with pytest.raises(InputError, match=r"3 outputs \(stem, stage1, stage2\): name one of them"):
        load_engine(job(folder, tmp_path, engine))


def test_a_vision_transformer_has_its_own_size(tmp_path):
    folder = preset(tmp_path / "vit")
    with pytest.raises(InputError, match=r"64×64 pixels: its weights are of another size; use it"):
        load_engine(job(folder, tmp_path, image_size=64, pooling="cls"))
    with pytest.raises(InputError, match=r"not take images of 33×33 pixels: .*use its own size"):
        load_engine(job(folder, tmp_path, image_size=33, pooling="cls"))


def test_weights_in_parts_are_loaded_and_checked(tmp_path):
    folder = preset(tmp_path / "vgg", **KINDS["vgg"], max_shard_size=1.2e-6)
    assert (folder / "model_00001.weights.h5").exists()
    found = load_engine(job(folder, tmp_path, pooling="none"))
    assert agreement(expected(folder, pixels()), found.compute(pixels())[0]).within_tolerance
    shutil.copy(folder / "model_00001.weights.h5", folder / "model_00000.weights.h5")
    with pytest.raises(WeightsError, match=r"model.weights.json: not weights of VGGBackbone"):
        load_engine(job(folder, tmp_path))


def test_a_moved_folder_is_the_same(tmp_path):
    folder = preset(tmp_path / "vit")
    made = job(folder, tmp_path, pooling="cls").recipes[0]
    assert made.backbone == f"kerashub-{made.weights.removeprefix('sha256:')[:8]}"
    moved = folder.rename(tmp_path / "moved")
    assert job(moved, tmp_path, pooling="cls").recipes[0] == made
    with pytest.raises(WeightsError, match=r"vit: folder not found; .* by --weights FOLDER"):
        job_of(made, str(folder), store=tmp_path, engine="keras")
    found = job_of(made, str(moved), store=tmp_path, engine="keras")
    assert load_engine(found).feature_shapes == ((16,),)


def test_files_may_be_links_as_in_the_cache_of_hugging_face(tmp_path):
    folder = preset(tmp_path / "vit")
    before = job(folder, tmp_path, pooling="cls").recipes[0]
    (tmp_path / "blobs").mkdir()
    for number, path in enumerate(sorted(folder.iterdir())):
        path.rename(tmp_path / "blobs" / str(number))
        path.symlink_to(tmp_path / "blobs" / str(number))
    linked = job(folder, tmp_path, pooling="cls")
    assert linked.recipes[0] == before
    assert load_engine(linked).feature_shapes == ((16,),)


def test_files_that_change_meanwhile_are_not_used(tmp_path):
    folder = preset(tmp_path / "vit")
    made = job(folder, tmp_path, pooling="cls")
    shutil.rmtree(folder)
    preset(folder, seed=1)
    with pytest.raises(WeightsError, match="a file changed while it was read"):
        load_engine(made)


def test_a_text_backbone_is_one_line(tmp_path):
    sizes = ("vocabulary_size", "num_layers", "num_heads", "hidden_dim", "intermediate_dim")
    settings = dict.fromkeys(sizes, 1)
    folder = preset(tmp_path / "bert", "BertBackbone", settings)
    with pytest.raises(InputError, match="BertBackbone takes no images, but text; give a preset"):
        job(folder, tmp_path)


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"name": "NoBackbone"}, r"KerasHub [\d.]+ has no backbone NoBackbone; give a preset"),
        ({"name": "ViTEncoder"}, r"KerasHub [\d.]+ has no backbone ViTEncoder; give a preset"),
        ({}, "not weights of ViTBackbone .*: not a Keras weights file"),
        ({"settings": {"image_shape": [32, 32, 3]}}, "vit: KerasHub cannot load it for images of"),
    ],
    ids=str,
)
def test_what_keras_hub_does_not_load_is_one_line(tmp_path, changed, match):
    hub()
    folder = written(tmp_path / "vit", **changed)
    with pytest.raises(InputError, match=match) as error:
        load_engine(job(folder, tmp_path, pooling="cls"))
    assert "\n" not in str(error.value)


def test_without_the_extra_it_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    folder = converted(written(tmp_path / "vit"), scale=1 / 255)
    with pytest.raises(InputError, match=r"not installed .*pip install 'gargalo\[keras-hub\]'"):
        load_engine(job(folder, tmp_path, pooling="cls"))


def test_weights_of_another_network_are_refused(tmp_path):
    folder = preset(tmp_path / "vit")
    config = json.loads((folder / "config.json").read_text())
    config["config"]["num_layers"] = 2
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(WeightsError, match="not weights of ViTBackbone"):
        load_engine(job(folder, tmp_path, pooling="cls"))


@pytest.mark.parametrize(("kind", "side"), [("vit", SIDE), ("dino", SIDE), ("dino", 48)])
@pytest.mark.parametrize("added", [0.25, -0.25])
def test_what_was_trained_is_saved_as_a_preset(tmp_path, kind, side, added):
    folder = preset(tmp_path / kind, **KINDS[kind])
    made = job(folder, tmp_path, pooling="none", image_size=side)
    model = backbone_of(made.recipes[0], str(folder)).build((side, side))
    for weight in model.trainable_weights:
        weight.assign(weight + added)
    model.preset.save(tmp_path / "saved")
    converted(tmp_path / "saved", **CONVERTER)
    again = load_engine(job(tmp_path / "saved", tmp_path, pooling="none", image_size=side))
    values = pixels(side=side)
    trained = np.asarray(model(values / 127.5 - 1))
    assert agreement(trained, again.compute(values)[0]).within_tolerance


@pytest.mark.parametrize("engine", ["keras", "openvino"])
def test_keras_hubs_version_is_that_of_its_features_alone(tmp_path, engine):
    jobs = (
        job(preset(tmp_path / "vgg", **KINDS["vgg"]), tmp_path, engine),
        job("lenet5", tmp_path, engine, weights="none"),
    )
    of_preset, of_name = (load_engine(one).producer["versions"] for one in jobs)
    assert of_preset == of_name | {"keras-hub": hub().__version__}
