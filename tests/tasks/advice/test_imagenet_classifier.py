from dataclasses import replace

import numpy as np
import pytest

from tasks.advice.imagenet_classifier import imagenet_probabilities
from tasks.backbones.registry import find_backbone
from tasks.backbones.torch_checkpoint import read_state_dict
from tasks.backbones.weights import find_weights, packaged_weights

LITE0 = packaged_weights(find_backbone("efficientnet_lite0"))


@pytest.fixture
def weights(tmp_path):
    backbone = find_backbone("efficientnet_lite0")
    return find_weights(backbone, "imagenet", image_size=(224, 224), seed=0, store=tmp_path)


def test_features_along_a_class_make_the_classifier_sure_of_it(weights):
    kernel = read_state_dict(LITE0)["_fc.weight"]
    found = imagenet_probabilities(10 * kernel[[281, 7]], weights)
    assert found.argmax(axis=1).tolist() == [281, 7]
    np.testing.assert_allclose(found.sum(axis=1), 1.0)


def test_features_of_another_width_and_other_weights_have_no_classifier(weights):
    assert imagenet_probabilities(np.zeros((2, 112)), weights) is None
    untrained = replace(weights, source="none", path="")
    assert imagenet_probabilities(np.zeros((2, 1280)), untrained) is None
    other = replace(weights, path="/nowhere/own.weights.h5")
    assert imagenet_probabilities(np.zeros((2, 1280)), other) is None
