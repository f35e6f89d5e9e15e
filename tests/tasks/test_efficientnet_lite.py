from pathlib import Path

import keras
import numpy as np
import pytest

from tasks import efficientnet_lite
from tasks.efficientnet_lite import efficientnet_lite0, load_torch_weights, preprocess_input
from tasks.errors import WeightsError
from tasks.torch_checkpoint import read_state_dict
from tasks.weights import packaged_weights

PHOTOGRAPHS = Path(__file__).parents[3] / "shared/data/cats_and_dogs/validation"
IMAGENET_CATS = range(281, 286)
IMAGENET_DOGS = range(151, 269)


@pytest.fixture(scope="module")
def model():
    model = efficientnet_lite0(input_shape=(224, 224, 3))
    load_torch_weights(model, packaged_weights())
    return model


@pytest.fixture(scope="module")
def fresh():
    """A model for tests of what is refused: they leave it as it was."""
    return efficientnet_lite0(input_shape=(32, 32, 3))


@pytest.fixture(scope="module")
def tensors():
    return read_state_dict(packaged_weights())


@pytest.fixture
def from_tensors(monkeypatch):
    """Load tensors that no file holds."""

    def load(model, tensors):
        monkeypatch.setattr(efficientnet_lite, "read_state_dict", lambda path: tensors)
        load_torch_weights(model, Path("other.pth"))

    return load


def test_parameter_count(model):
    assert model.count_params() == 3_413_024


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((224, 224), (7, 7)), ((160, 160), (5, 5)), ((96, 96), (3, 3)), ((150, 97), (5, 4))],
)
def test_output_is_the_map_of_the_head(shape, expected):
    model = efficientnet_lite0(input_shape=(*shape, 3))
    assert model.output_shape == (None, *expected, 1280)
    images = np.random.default_rng(0).integers(0, 256, (2, *shape, 3), dtype=np.uint8)
    maps = np.asarray(model(preprocess_input(images)))
    assert maps.shape == (2, *expected, 1280)
    assert maps.min() >= 0
    assert maps.max() <= 6


def test_layers_have_the_names_of_keras_own_efficientnet(model):
    other = keras.applications.EfficientNetB0(weights=None, include_top=False)
    taps = [layer.name for layer in model.layers[1:]]
    assert taps == [layer.name for layer in other.layers if layer.name in taps]
    assert {"stem_conv", "block1a_dwconv", "block5c_add", "top_activation"} <= set(taps)
    for tap in ("block2b_add", "block5c_add", "block7a_project_bn", "top_activation"):
        assert model.get_layer(tap).output.shape[-1] == other.get_layer(tap).output.shape[-1]


def test_every_variable_is_loaded(model, fresh):
    pairs = zip(fresh.get_weights(), model.get_weights(), strict=True)
    changed = [not np.array_equal(before, after) for before, after in pairs]
    assert len(changed) == 49 * 5
    assert all(changed)


def test_fresh_layers_of_one_shape_differ(fresh):
    (one,), (other,) = (fresh.get_layer(f"block6{b}_dwconv").get_weights() for b in "bc")
    assert not np.array_equal(one, other)


@pytest.mark.skipif(not PHOTOGRAPHS.is_dir(), reason=f"no photographs at {PHOTOGRAPHS}")
def test_cats_and_dogs_get_imagenet_cat_and_dog_classes(model, tensors):
    images, own = [], []
    for folder, classes in (("cats", IMAGENET_CATS), ("dogs", IMAGENET_DOGS)):
        for path in sorted((PHOTOGRAPHS / folder).glob("*.jpg"))[:20]:
            image = keras.utils.load_img(path, target_size=(224, 224), interpolation="bilinear")
            images.append(np.asarray(image))
            own.append(classes)
    features = model.predict(preprocess_input(np.stack(images)), verbose=0).mean((1, 2))
    found = (features @ tensors["_fc.weight"].T + tensors["_fc.bias"]).argmax(1)
    assert len(found) == 40
    assert np.mean([k in IMAGENET_CATS or k in IMAGENET_DOGS for k in found]) >= 0.75
    assert np.mean([k in classes for k, classes in zip(found, own, strict=True)]) >= 0.75


@pytest.mark.parametrize("dtype", ["uint8", "int32", "float32", "float64"])
def test_preprocess_input(dtype):
    x = np.array([0, 127, 255], dtype)
    expected = [-127 / 128, 0, 1]
    for images in (x, keras.ops.convert_to_tensor(x)):
        assert np.asarray(preprocess_input(images)).tolist() == expected
    assert x.tolist() == [0, 127, 255]
    assert preprocess_input(x).dtype == ("float64" if dtype == "float64" else "float32")


def test_preprocess_input_within_a_dataset_and_a_model():
    import tensorflow as tf

    images = np.full((2, 4, 4, 3), 255, np.uint8)
    (batch,) = tf.data.Dataset.from_tensors(images).map(preprocess_input)
    assert np.asarray(batch).tolist() == np.ones_like(images).tolist()
    inputs = keras.Input((4, 4, 3), dtype="uint8")
    model = keras.Model(inputs, preprocess_input(inputs))
    np.testing.assert_array_equal(model(images), np.ones_like(images))


def test_missing_and_unknown_tensors_are_named(fresh, tensors, from_tensors):
    others = {("odd" if name == "_bn0.bias" else name): value for name, value in tensors.items()}
    before = fresh.get_weights()
    with pytest.raises(WeightsError, match=r"other\.pth.*missing: _bn0\.bias.*unknown: odd"):
        from_tensors(fresh, others)
    assert all(np.array_equal(a, b) for a, b in zip(before, fresh.get_weights(), strict=True))


@pytest.mark.parametrize("shape", [(1280, 320), (1280, 1, 1, 320), (1280, 320, 1, 1, 1)])
def test_a_tensor_of_another_shape_is_named(fresh, tensors, from_tensors, shape):
    others = tensors | {"_conv_head.weight": tensors["_conv_head.weight"].reshape(shape)}
    before = fresh.get_weights()
    with pytest.raises(WeightsError, match=r"_conv_head\.weight to fit top_conv/kernel of shape"):
        from_tensors(fresh, others)
    assert all(np.array_equal(a, b) for a, b in zip(before, fresh.get_weights(), strict=True))


def test_another_architecture_is_refused():
    model = keras.applications.EfficientNetB0(weights=None, include_top=False)
    with pytest.raises(WeightsError, match=r"without block1a_se_.* Received: .*efficientnetb0"):
        load_torch_weights(model, packaged_weights())


def test_a_model_cut_at_a_tap_is_refused(fresh):
    cut = keras.Model(fresh.input, fresh.get_layer("block5c_add").output)
    with pytest.raises(WeightsError, match="with the layer block6a_expand_conv"):
        load_torch_weights(cut, packaged_weights())
