import json
from dataclasses import replace
from typing import get_args

import pytest

from tasks.errors import InputError
from tasks.heads import KINDS, specification
from tasks.heads.presets import (
    _PRESETS,
    DEFAULT_HEADS,
    HeadName,
    make_head,
    make_heads,
    settings_of,
)
from tasks.heads.ridge import KIND


def make(*names, classes=2, feature_shape=(8,), **settings):
    return make_heads(list(names), settings, classes=classes, feature_shape=feature_shape)


def test_every_kind_and_preset_has_its_name():
    assert set(get_args(HeadName)) == {*KINDS, *_PRESETS}


def test_the_presets_carry_their_sources_settings():
    tutorial = make("tutorial")["tutorial"]
    assert (tutorial.hidden_units, tutorial.dropout, tutorial.output) == ((), 0.2, "logit")
    assert (tutorial.optimizer, tutorial.learning_rate) == ("adam", 1e-4)
    assert (tutorial.epochs, tutorial.batch_size) == (10, 32)
    cabral = make("cabral", feature_shape=(4, 4, 512))["cabral"]
    assert (cabral.hidden_units, cabral.activation, cabral.dropout) == ((256,), "relu", 0.5)
    assert (cabral.output, cabral.optimizer, cabral.learning_rate) == ("sigmoid", "rmsprop", 1e-3)
    assert (cabral.epochs, cabral.batch_size) == (100, 64)
    assert make("resnet-softmax", classes=7)["resnet-softmax"].output == "softmax"


def test_the_presets_of_whole_networks_carry_their_papers_settings():
    lenet = make("lenet5", classes=10, feature_shape=(5, 5, 16))["lenet5"]
    assert (lenet.hidden_units, lenet.activation, lenet.dropout) == ((120, 84), "tanh", 0)
    assert (lenet.output, lenet.epochs) == ("softmax", 20)
    alexnet = make("alexnet", classes=1000, feature_shape=(6, 6, 256))["alexnet"]
    assert (alexnet.hidden_units, alexnet.activation) == ((4096, 4096), "relu")
    assert (alexnet.dropout, alexnet.output) == (0.5, "softmax")
    assert (alexnet.optimizer, alexnet.learning_rate) == ("sgd", 0.01)
    assert (alexnet.epochs, alexnet.batch_size, alexnet.l2) == (90, 128, 2.5e-4)


@pytest.mark.parametrize("preset", ["tutorial", "cabral"])
def test_a_binary_preset_on_more_classes_names_the_alternative(preset):
    with pytest.raises(
        InputError, match=r"expected a data set with 2 classes, received 3; .*resnet-softmax"
    ):
        make(preset, classes=3)


def test_a_preset_for_maps_refuses_vectors_and_the_other_way_round():
    with pytest.raises(InputError, match="--pooling none"):
        make("cabral", feature_shape=(8,))
    with pytest.raises(InputError, match=r"--head lenet5: expected feature maps.* --pooling none"):
        make("lenet5", feature_shape=(16,))
    with pytest.raises(InputError, match="--pooling avg"):
        make("tutorial", feature_shape=(4, 4, 8))


def test_a_dense_head_has_one_logit_for_two_classes_and_softmax_otherwise():
    assert make("dense")["dense"].output == "logit"
    assert make("dense", classes=3)["dense"].output == "softmax"


@pytest.mark.parametrize(
    ("names", "settings", "flag"),
    [
        (("tutorial",), {"epochs": 3}, "--epochs"),
        (("logistic",), {"hidden_units": [4]}, "--hidden-units"),
        (("dense",), {"inverse_regularization": 1.0}, "--inverse-regularization"),
    ],
)
def test_a_setting_that_no_head_takes_is_refused_not_ignored(names, settings, flag):
    with pytest.raises(InputError, match=flag):
        make(*names, **settings)


def test_a_setting_needs_only_one_head_that_takes_it():
    heads = make("dense", "svm", "tutorial", epochs=3, inverse_regularization=2.0)
    assert heads["dense"].epochs == 3
    assert heads["svm"].inverse_regularization == 2.0
    assert heads["tutorial"].epochs == 10


def test_a_specification_is_plain_json():
    head = make("dense", hidden_units=[4, 2])["dense"]
    assert json.loads(json.dumps(specification(head)))["hidden_units"] == [4, 2]
    assert make("dense", hidden_units=(4, 2))["dense"] == head


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_needs_no_setting(kind):
    assert make_head(kind, {}, classes=2).kind == kind


@pytest.mark.parametrize("target", ["labels", "number"])
def test_a_head_is_refused_for_what_it_cannot_learn(target):
    for name in DEFAULT_HEADS[target]:
        head = make_heads([name], {}, classes=3, target=target)[name]
        assert head.kind == name
    words = "several labels" if target == "labels" else "a number"
    for name in ("centroid", "tutorial"):
        with pytest.raises(InputError, match=f"head {name}: cannot learn {words}; expected one of"):
            make_heads([name], {}, classes=2, target=target)


def test_a_setting_of_classes_is_refused_for_a_number():
    settings = {"label_smoothing": 0.1}
    assert make_heads(["dense"], settings, classes=3, target="labels")["dense"].output == "sigmoids"
    with pytest.raises(InputError, match=r"--label-smoothing: not a setting .* learns a number"):
        make_heads(["dense"], settings, classes=1, target="number")
    with pytest.raises(InputError, match="label_smoothing is for classes and labels; leave it out"):
        make_head("dense", settings, classes=1, target="number")
    with pytest.raises(InputError, match=r"--hidden-units: .*; use it with --head dense"):
        make_heads(["knn"], {"hidden_units": [4]}, classes=1, target="number")


def test_a_misspelt_setting_is_named_with_the_nearest():
    with pytest.raises(InputError, match="setting 'learning_rat': did you mean learning_rate"):
        make_head("dense", {"learning_rat": 0.1}, classes=2)


def test_a_setting_like_no_other_is_told_all_there_are():
    with pytest.raises(InputError, match="expected one of penalty, standardize"):
        make_head("ridge", {"xyz": 1}, classes=2)


@pytest.mark.parametrize(
    ("kind", "settings", "match"),
    [
        ("dense", {"learning_rate": -1}, "learning_rate: .*greater than 0. Received: -1"),
        ("dense", {"activation": "rleu"}, "activation: .*'relu'"),
        ("dense", {"hidden_units": [0]}, r"hidden_units.0: "),
        ("knn", {"neighbors": 0}, "neighbors: "),
    ],
)
def test_a_value_that_cannot_be_is_told_with_what_is_expected(kind, settings, match):
    with pytest.raises(InputError, match=match):
        make_head(kind, settings, classes=2)


def test_what_follows_from_the_data_set_is_no_setting():
    assert "output" not in settings_of("dense")


def test_a_kind_that_comes_out_otherwise_is_another_specification(monkeypatch):
    head = make("ridge")["ridge"]
    before = specification(head)
    monkeypatch.setattr("tasks.heads.ridge.KIND", replace(KIND, version=KIND.version + 1))
    assert specification(head) != before
