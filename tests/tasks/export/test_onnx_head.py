"""A head as an ONNX graph says what it says itself."""

from typing import get_args

import keras
import numpy as np
import pytest
from onnx import helper

from tasks.errors import InputError
from tasks.execution.onnx_extra import onnx_session
from tasks.export.onnx_head import head_graph
from tasks.export.onnx_pixels import OPSET
from tasks.heads.setting_types import Activation
from tests.tasks.export.test_keras_model import HEADS, OTHER_HEADS, trained_head


def by_onnx(model, features):
    imports = [helper.make_opsetid("", OPSET)]
    whole = helper.make_model(head_graph(model), opset_imports=imports, ir_version=8)
    session = onnx_session(whole.SerializeToString(), None)
    return session.run(["scores"], {"features": features})[0]


def of_head(trained, width):
    inputs = keras.Input((width,))
    return keras.Model(inputs, trained.keras_scores(inputs))


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize(("kind", "settings"), HEADS, ids=str)
def test_each_kind_of_heads(kind, settings, classes):
    trained, new = trained_head(kind, settings, classes)
    found = by_onnx(of_head(trained, new.shape[1]), new)
    np.testing.assert_allclose(found, trained.scores(new), atol=2e-5, rtol=1e-4)
    as_maps = by_onnx(of_head(trained, new.shape[1]), new.reshape(-1, 2, 2, 3))
    np.testing.assert_array_equal(as_maps, found)


@pytest.mark.parametrize(("target", "kind", "settings"), OTHER_HEADS, ids=str)
def test_each_kind_of_heads_of_another_target(target, kind, settings):
    trained, new = trained_head(kind, settings, 1 if target == "number" else 3, target)
    found = by_onnx(of_head(trained, 12), new)
    np.testing.assert_allclose(found, trained.scores(new), atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("name", get_args(Activation))
def test_each_activation(name):
    inputs = keras.Input((7,))
    model = keras.Model(inputs, keras.layers.Activation(name)(inputs))
    features = np.random.default_rng(0).normal(0, 4, (50, 7)).astype("f4")
    np.testing.assert_allclose(by_onnx(model, features), model(features), atol=2e-6, rtol=1e-5)


def test_a_layer_that_is_not_known_is_refused():
    inputs = keras.Input((7,))
    model = keras.Model(inputs, keras.layers.GaussianNoise(0.1)(inputs))
    with pytest.raises(InputError, match=r"has a layer GaussianNoise, .*; use --format openvino"):
        head_graph(model)
