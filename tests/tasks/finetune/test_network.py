"""The seeds' figures: parameters, trainable tensors and shapes of their networks."""

import keras
import numpy as np
import pytest

from tasks.errors import InputError
from tasks.features.job import make_job
from tasks.finetune.network import Cut, build_network
from tasks.finetune.specification import DEFAULTS, FineTuning
from tasks.heads.presets import make_heads
from tests.support.extraction import REQUEST, replace


def network(backbone, size, head, strategy, unfreeze, *, pooling="avg", classes=2, **settings):
    request = replace(REQUEST, backbone=backbone, image_size=size, pooling=pooling)
    job = make_job(request, store="unused", engine="keras")
    tuning = FineTuning(strategy=strategy, unfreeze=unfreeze, **DEFAULTS[strategy])
    spec = make_heads([head], settings, classes=classes)[head]
    return build_network(job.recipes[0], job.weights, spec, tuning, classes=classes, seed=0)


def trainable(model):
    weights = model.trainable_weights
    return sum(int(np.prod(weight.shape)) for weight in weights), len(weights)


def test_mobilenet_v2_of_the_tutorial():
    first = network("mobilenet_v2", 160, "tutorial", "partial", "none")
    assert first.base.count_params() == 2_257_984
    assert len(first.base.layers) == 154
    assert first.base.output_shape == (None, 5, 5, 1280)
    assert trainable(first.whole) == (1_281, 2)
    assert first.cut == Cut("output", "avg")
    second = network("mobilenet_v2", 160, "tutorial", "top-layers", "block_11_expand_relu")
    assert second.base.layers[100].name == "block_11_expand_relu"
    assert trainable(second.whole) == (1_862_721, 56)
    assert second.cut == Cut("block_10_project_BN", "none")  # no residual block is cut in half


def test_vgg16_of_cabral():
    options = {"pooling": "none"}
    frozen = network("vgg16", 150, "cabral", "partial", "none", **options)
    assert frozen.base.count_params() == 14_714_688
    assert frozen.base.output_shape == (None, 4, 4, 512)
    assert len(frozen.trained_head().weights["kernel_0"]) == 8_192
    assert frozen.whole.count_params() == 16_812_353
    assert trainable(frozen.whole)[1] == 4
    assert trainable(network("vgg16", 150, "cabral", "full", "all", **options).whole)[1] == 30
    top = network("vgg16", 150, "cabral", "top-layers", "block5_conv1", **options)
    assert top.cut == Cut("block4_pool", "none")


def test_resnet50_of_the_course():
    options = {"classes": 10}
    frozen = network("resnet50", 32, "resnet-softmax", "partial", "none", **options)
    assert frozen.base.count_params() == 23_587_712
    assert frozen.base.output_shape == (None, 1, 1, 2048)
    assert trainable(frozen.whole)[0] == 20_490
    everything = network("resnet50", 32, "resnet-softmax", "full", "all", **options)
    assert trainable(everything.whole)[0] == 23_555_082
    assert everything.cut is None


def test_statistics_of_batch_normalisation_stay_unless_asked():
    for strategy, changed in (("full", False), ("scratch", True)):
        model = network("mobilenet_v2", 32, "dense", strategy, "all").whole
        model.compile("sgd", "mse", run_eagerly=True, jit_compile=False)
        before = statistics(model)
        pixels = np.random.default_rng(0).normal(size=(2, 32, 32, 3)).astype(np.float32)
        model.train_on_batch(pixels, np.ones((2, 1), np.float32))
        after = statistics(model)
        assert before
        same = [np.array_equal(a, b) for a, b in zip(before, after, strict=True)]
        assert sum(same) <= 2 if changed else all(same), sum(same)


def statistics(model):
    return [v.numpy() for v in model.variables if "moving" in v.path]


def test_nothing_to_train_is_refused():
    with pytest.raises(InputError, match="out_relu: mobilenet_v2 has no weights from this"):
        network("mobilenet_v2", 32, "dense", "top-layers", "out_relu")


@pytest.mark.parametrize("head", ["dense", "cabral"])
def test_a_head_in_training_says_what_its_trained_arrays_say(head):
    settings = {} if head == "cabral" else {"hidden_units": (5, 3), "batch_norm": True}
    found = network("mobilenet_v2", 32, head, "partial", "none", pooling="none", **settings)
    rows = np.random.default_rng(0).normal(size=(4, *found.rest.input_shape[1:])).astype("f4")
    expected = keras.ops.convert_to_numpy(found.rest(rows, training=False))
    np.testing.assert_allclose(found.trained_head().logits(rows), expected, rtol=1e-4, atol=1e-5)
