"""A head in company is the head alone, and both are what Keras makes of the same specification."""

from dataclasses import replace
from functools import partial
from typing import get_args

import keras
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stores.features.store import FeatureStore
from stores.manifest import Images
from tasks.datasets.folds import Fold, fold_numbers, stopping_part
from tasks.heads import Candidate
from tasks.heads.dense.head_group import HeadGroup
from tasks.heads.dense.specification import DenseHead
from tasks.heads.dense.stacked_networks import first_weights
from tasks.heads.dense.trained import TrainedDense
from tasks.heads.dense.trainer import architecture_of, train_heads
from tasks.heads.examples import Examples, MemoryStream, StoredStream
from tasks.heads.setting_types import Activation
from tests.support.samples import RECIPE, few, some_keys

HEAD = DenseHead(dropout=0.0, learning_rate=1e-2, batch_size=8, epochs=3)


def examples(classes=3, count=60, width=6, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, count)
    return (np.eye(classes, width)[labels] * 2 + rng.normal(size=(count, width))).astype(
        "f4"
    ), labels


def other_examples(output):
    """Return features, labels or numbers, and the number of outputs."""
    features, _ = examples()
    rng = np.random.default_rng(1)
    if output == "number":
        return features, 40 + 9 * features[:, 0].astype("f8") + rng.normal(size=60), 1
    return features, (features[:, :3] + rng.normal(size=(60, 3)) > 1).astype("i8"), 3


def fold(count=60, stopping=False):
    places = np.arange(count)
    train = places % 4 > 0
    return Fold(train, ~train, places % 8 == 1 if stopping else None)


def train(candidates, classes=3, folds=None, stream=MemoryStream):
    features, labels = examples(classes)
    about = Examples(stream(features), labels, classes, folds or [fold()])
    return train_heads(candidates, about)


def order(seed, epoch, fold):
    """Return the order in which a head sees the examples of an epoch that fits into one chunk."""
    places = np.arange(60)
    np.random.default_rng(epoch).shuffle(places)
    mine = np.flatnonzero(fold.train[places])
    np.random.default_rng((seed, epoch, 0)).shuffle(mine)
    return places[mine]


def twin(head, weights, classes, steps):
    """Return the Keras model of a head, with these weights."""
    regularizer = keras.regularizers.L2(head.l2) if head.l2 else None
    dense = partial(keras.layers.Dense, kernel_regularizer=regularizer)
    layers = [keras.Input((6,))]
    for units in head.hidden_units:
        layers.append(dense(units, use_bias=not head.batch_norm))
        layers += [keras.layers.BatchNormalization()] if head.batch_norm else []
        layers.append(keras.layers.Activation(head.activation))
    units = classes if head.output in {"softmax", "sigmoids"} else 1
    layers.append(dense(units))
    # Keras weights the outputs of an example one by one where they are no last axis.
    layers += [keras.layers.Reshape((units, 1))] if head.output == "sigmoids" else []
    model = keras.Sequential(layers)
    for kind in (keras.layers.Dense, keras.layers.BatchNormalization):
        of_kind = [layer for layer in model.layers if isinstance(layer, kind)]
        for n, layer in enumerate(of_kind):
            for variable in layer.variables:
                variable.assign(weights[f"{variable.name}_{n}"].reshape(variable.shape))
    rate = head.learning_rate
    if head.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(rate, steps)
    optimizer = {
        "adam": keras.optimizers.Adam,
        "rmsprop": keras.optimizers.RMSprop,
        "sgd": keras.optimizers.SGD,
    }
    smoothing = head.label_smoothing
    losses = {
        "softmax": partial(keras.losses.CategoricalCrossentropy, from_logits=True),
        "number": lambda label_smoothing: keras.losses.MeanSquaredError(),
    }
    binary = partial(keras.losses.BinaryCrossentropy, from_logits=True)
    loss = losses.get(head.output, binary)(label_smoothing=smoothing)
    # Eagerly: tracing a graph for some twenty steps takes longer than they do.
    model.compile(optimizer=optimizer[head.optimizer](rate), loss=loss, run_eagerly=True)
    return model


VARIANTS = [
    {},
    {"optimizer": "rmsprop"},
    {"optimizer": "sgd", "learning_rate": 0.1},
    {"hidden_units": (5,)},
    {"hidden_units": (5, 4), "l2": 0.01},
    {"hidden_units": (5, 4), "batch_norm": True},
    {"label_smoothing": 0.1},
    {"class_weights": "balanced"},
    {"schedule": "cosine"},
    {"output": "logit"},
    {"output": "logit", "label_smoothing": 0.2, "l2": 0.1},
    *({"hidden_units": (5,), "activation": name} for name in get_args(Activation)),
]


@pytest.mark.parametrize("asked", VARIANTS, ids=str)
def test_a_head_is_what_keras_makes_of_it(asked):
    head = replace(HEAD, **asked)
    classes = 2 if head.output == "logit" else 3
    features, labels = examples(classes)
    (outcome,) = train([Candidate(head, seed=4)], classes)
    architecture = architecture_of(head, 6, classes if head.output == "softmax" else 1)
    weights, _ = np.random.SeedSequence(4).spawn(2)
    model = twin(head, first_weights(architecture, np.random.default_rng(weights)), classes, 3 * 6)
    counts = np.bincount(labels[fold().train], minlength=classes)
    weight = (
        counts.sum() / (classes * counts) if head.class_weights == "balanced" else np.ones(classes)
    )
    for epoch in range(head.epochs):
        seen = order(4, epoch, fold())
        targets = (
            np.eye(classes, dtype="f4")[labels] if head.output == "softmax" else labels[:, None]
        )
        for batch in np.split(seen, range(8, len(seen), 8)):
            model.train_on_batch(
                features[batch], targets[batch], sample_weight=weight[labels[batch]]
            )
    trained = TrainedDense(head, outcome.weights)
    expected = model(features)
    np.testing.assert_allclose(trained.logits(features), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "asked",
    [
        {"output": "sigmoids", "l2": 0.01},
        {"output": "sigmoids", "class_weights": "balanced", "label_smoothing": 0.1},
        {"output": "number", "l2": 0.01, "standardize": True},
        {"output": "number", "hidden_units": (5,), "batch_norm": True, "patience": 2},
    ],
    ids=str,
)
def test_a_head_of_labels_or_of_a_number_is_what_keras_makes_of_it(asked):
    head = replace(HEAD, **asked)
    features, truths, outputs = other_examples(head.output)
    target = "number" if head.output == "number" else "labels"
    about = Examples(MemoryStream(features), truths, outputs, [fold()], target)
    (outcome,) = train_heads([Candidate(head, seed=4)], about)
    trained = TrainedDense(head, outcome.weights)
    learned, held_out = fold().train, fold().validation
    mean, deviation, weight = 0.0, 1.0, np.ones_like(truths, "f8")
    if target == "number":
        mean, deviation = truths[learned].mean(), truths[learned].std()
    elif head.class_weights == "balanced":
        shares = truths[learned].mean(axis=0)
        weight = np.where(truths, 1 / (2 * shares), 1 / (2 * (1 - shares)))
    scaling = {name: outcome.weights.get(name, at) for name, at in (("mean", 0), ("scale", 1))}
    rows = (features - scaling["mean"]) / scaling["scale"]
    targets = ((truths - mean) / deviation)[..., None]
    weights, _ = np.random.SeedSequence(4).spawn(2)
    first = first_weights(architecture_of(head, 6, outputs), np.random.default_rng(weights))
    model = twin(head, first, outputs, 3 * 6)
    for epoch in range(head.epochs):
        seen = order(4, epoch, fold())
        for batch in np.split(seen, range(8, len(seen), 8)):
            model.train_on_batch(rows[batch], targets[batch], sample_weight=weight[batch])
    logits = np.asarray(model(rows)).reshape(60, outputs)
    expected = logits * deviation + mean
    np.testing.assert_allclose(trained.logits(features), expected, rtol=1e-4, atol=1e-3)
    # The history is in the units of the truths.
    scores, last = trained.scores(features)[held_out], outcome.history[-1]
    if target == "number":
        off = scores[:, 0] - truths[held_out]
        assert last["val_mean_absolute_error"] == pytest.approx(np.abs(off).mean(), rel=1e-4)
        kernels = [outcome.weights[f"kernel_{n}"] for n in range(len(head.hidden_units) + 1)]
        penalty = head.l2 * sum(np.square(kernel).sum() for kernel in kernels)
        assert last["val_loss"] == pytest.approx(np.square(off).mean() + penalty, rel=1e-4)
    else:
        right = ((scores > 0.5) == truths[held_out]).mean()
        assert last["val_binary_accuracy"] == pytest.approx(right)
    assert "val_accuracy" not in last


def test_early_stopping_restores_the_best_epoch_of_a_number():
    features, truths, _ = other_examples("number")
    head = replace(HEAD, output="number", learning_rate=0.3, epochs=60, patience=3)
    split = fold(stopping=True)
    about = Examples(MemoryStream(features), truths, 1, [split], "number")
    (outcome,) = train_heads([Candidate(head, seed=0)], about)
    losses = [epoch["stopping_loss"] for epoch in outcome.history]
    assert outcome.epochs == int(np.argmin(losses)) + 1 == len(losses) - 3
    off = TrainedDense(head, outcome.weights).scores(features[split.stopping])[:, 0]
    off -= truths[split.stopping]
    assert np.square(off).mean() == pytest.approx(min(losses), rel=1e-4)


HEADS = st.builds(
    DenseHead,
    hidden_units=st.sampled_from([(), (4,), (4, 3)]),
    activation=st.just("relu"),
    dropout=st.sampled_from([0.0, 0.3]),
    output=st.just("softmax"),
    optimizer=st.sampled_from(["adam", "sgd"]),
    learning_rate=st.sampled_from([1e-3, 0.1]),
    batch_size=st.sampled_from([7, 16]),
    epochs=st.integers(1, 4),
    l2=st.sampled_from([0.0, 0.01]),
    label_smoothing=st.sampled_from([0.0, 0.1]),
    class_weights=st.sampled_from(["none", "balanced"]),
    batch_norm=st.booleans(),
    patience=st.sampled_from([None, 1]),
    standardize=st.booleans(),
)
CANDIDATES = st.builds(Candidate, HEADS, seed=st.integers(0, 2), fold=st.integers(0, 1))


@few
@given(
    st.sampled_from(["softmax", "sigmoids", "number"]),
    st.lists(CANDIDATES, min_size=1, max_size=12),
)
def test_company_changes_nothing(output, candidates):
    candidates = [replace(one, head=replace(one.head, output=output)) for one in candidates]
    folds = [fold(stopping=True), Fold(~fold().train, fold().train)]
    features, truths, outputs = other_examples(output) if output != "softmax" else (*examples(), 3)
    about = Examples(MemoryStream(features), truths, outputs, folds)
    for candidate, together in zip(candidates, train_heads(candidates, about), strict=True):
        (alone,) = train_heads([candidate], about)
        assert alone.history == together.history
        for name, weights in alone.weights.items():
            np.testing.assert_array_equal(weights, together.weights[name])


def test_patience_ends_a_head_and_takes_its_best_epoch():
    asked = replace(HEAD, learning_rate=0.3, epochs=60, patience=3)
    (outcome,) = train([Candidate(asked, seed=0)], folds=[fold(stopping=True)])
    losses = [epoch["stopping_loss"] for epoch in outcome.history]
    best = int(np.argmin(losses)) + 1
    assert len(losses) == best + 3 < 60
    learned = Fold(fold(stopping=True).learned(stops=True), fold().validation)
    shorter = Candidate(replace(asked, epochs=best, patience=None), seed=0)
    (until_then,) = train([shorter], folds=[learned])
    np.testing.assert_array_equal(outcome.weights["kernel_0"], until_then.weights["kernel_0"])


@pytest.mark.parametrize("about", [{}, {"standardize": True}, {"class_weights": "balanced"}])
def test_validation_measures_and_decides_nothing(about):
    """The kind: early stopping is measured on the images that stopped it."""
    asked = Candidate(replace(HEAD, learning_rate=0.3, epochs=60, patience=2, **about), seed=0)
    features, labels = examples()
    split = fold(stopping=True)
    swapped = labels.copy()
    swapped[split.validation] = (labels[split.validation] + 1) % 3
    first, second = (
        train_heads([asked], Examples(MemoryStream(features), some, 3, [split]))[0]
        for some in (labels, swapped)
    )
    np.testing.assert_array_equal(first.weights["kernel_0"], second.weights["kernel_0"])
    assert first.history[0]["val_loss"] != second.history[0]["val_loss"]
    assert len(first.history) == len(second.history) < 60


def test_what_ends_a_training_is_not_learned_from():
    asked = Candidate(replace(HEAD, patience=2), seed=0)
    features, labels = examples()
    split = fold(stopping=True)
    features[split.stopping] = np.nan
    (outcome,) = train_heads([asked], Examples(MemoryStream(features), labels, 3, [split]))
    assert np.isfinite(outcome.history[0]["loss"])
    assert np.isnan(outcome.history[0]["stopping_loss"])


def test_where_nothing_can_be_set_aside_a_head_is_trained_for_all_epochs():
    asked = Candidate(replace(HEAD, epochs=9, patience=1, learning_rate=0.3), seed=0)
    nothing = replace(fold(), stopping=np.zeros(60, bool))
    (outcome,) = train([asked], folds=[nothing])
    assert (len(outcome.history), outcome.epochs) == (9, 9)


def test_class_weights_are_for_what_is_learned_from():
    """Keras's `fit` validates without them."""
    features, labels = examples()
    labels[:40] = 0
    about = Examples(MemoryStream(features), labels, 3, [fold()])
    asked = Candidate(replace(HEAD, class_weights="balanced", epochs=1), seed=0)
    (outcome,) = train_heads([asked], about)
    held_out = fold().validation
    said = TrainedDense(HEAD, outcome.weights).scores(features[held_out])
    plain = -np.log(said[np.arange(held_out.sum()), labels[held_out]]).mean()
    assert outcome.history[0]["val_loss"] == pytest.approx(plain, rel=1e-5)


def random_labels(seed, count, folds):
    """Return the accuracy on held-out images of heads that stopped early, on random labels."""
    rng = np.random.default_rng(seed)
    features, labels = rng.normal(size=(4 * count, 16)).astype("f4"), rng.integers(0, 2, 4 * count)
    keys = rng.integers(0, 256, (4 * count, 32), dtype=np.uint8)
    images = Images(keys, labels, pa.nulls(4 * count), pa.nulls(4 * count))
    numbers = fold_numbers(images, 5) if folds else np.minimum(np.arange(4 * count) // count, 1)
    held_out = [numbers == n for n in range(5 if folds else 1)]
    parts = [Fold(~some, some, stopping_part(images, ~some)) for some in held_out]
    head = DenseHead(
        output="logit", patience=10, epochs=60, learning_rate=0.03, batch_size=4 * count
    )
    about = Examples(MemoryStream(features), labels, 2, parts)
    outcomes = train_heads([Candidate(head, 0, n) for n in range(len(parts))], about)
    right = [
        TrainedDense(head, outcome.weights).scores(features[some]).argmax(1) == labels[some]
        for outcome, some in zip(outcomes, held_out, strict=True)
    ]
    return np.concatenate(right).mean()


@pytest.mark.parametrize(("count", "folds", "draws"), [(30, 0, 300), (30, 5, 60)])
def test_a_head_that_stopped_early_on_random_labels_is_reported_as_guessing(count, folds, draws):
    reported = [random_labels(seed, count, folds) for seed in range(draws)]
    assert np.mean(reported) == pytest.approx(0.5, abs=0.01)  # what fresh images give


def test_a_head_that_is_told_to_ends_after_so_many_epochs_whatever_its_patience():
    asked = replace(HEAD, learning_rate=0.3, epochs=60, patience=3)
    (outcome,) = train([Candidate(asked, seed=0, epochs=7)])
    assert [len(outcome.history), outcome.epochs] == [7, 7]


def test_a_standardised_head_is_one_on_features_that_were_standardised():
    features, labels = examples()
    seen = features[fold().train].astype("f8")
    scaled = ((features - seen.mean(0)) / seen.std(0)).astype("f4")
    (plain,) = train_heads(
        [Candidate(HEAD, 0)], Examples(MemoryStream(scaled), labels, 3, [fold()])
    )
    asked = replace(HEAD, standardize=True)
    (outcome,) = train([Candidate(asked, 0)])
    expected = TrainedDense(HEAD, plain.weights).logits(scaled)
    said = TrainedDense(asked, outcome.weights).logits(features)
    np.testing.assert_allclose(said, expected, rtol=1e-4, atol=1e-5)


def test_without_validation_a_head_learns_and_says_nothing_of_it():
    everything = Fold(np.ones(60, bool), np.zeros(60, bool))
    (outcome,) = train([Candidate(HEAD, 0)], folds=[everything])
    assert outcome.history[0].keys() == {"accuracy", "loss"}
    assert outcome.epochs == HEAD.epochs


def test_features_from_the_store_give_the_same_heads(tmp_path):
    def stored(features):
        features_store = FeatureStore(tmp_path, RECIPE)
        features_store.write(some_keys(60), features)
        return StoredStream(features_store, some_keys(60))

    asked = [Candidate(replace(HEAD, standardize=True), seed) for seed in range(2)]
    for there, here in zip(train(asked, stream=stored), train(asked), strict=True):
        assert there.history == here.history


@pytest.mark.parametrize("rows", [16, 4096])
def test_each_example_is_learned_once_an_epoch_in_an_order_of_the_seeds_own(monkeypatch, rows):
    seen = []
    step = HeadGroup.step

    def watched(company, inputs, labels):
        seen.append(inputs)
        step(company, inputs, labels)

    monkeypatch.setattr("tasks.heads.examples.ROWS_A_CHUNK", rows)
    monkeypatch.setattr(HeadGroup, "step", watched)
    expected = examples()[0][fold().train]
    orders = []
    for seed in range(2):
        seen.clear()
        train([Candidate(replace(HEAD, epochs=1), seed)])
        assert [len(batch) for batch in seen] == [8, 8, 8, 8, 8, 5]
        orders.append(np.concatenate(seen))
        np.testing.assert_array_equal(np.sort(orders[-1], axis=0), np.sort(expected, axis=0))
    assert (orders[0] != orders[1]).any()


def test_heads_end_early_where_nobody_waits_for_them_any_more(monkeypatch):
    monkeypatch.setattr("tasks.heads.dense.trainer.stop_if_requested", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        train([Candidate(HEAD, 0)])


def test_a_head_that_diverges_is_marked_and_the_others_go_on():
    wild, calm = (
        Candidate(replace(HEAD, optimizer="sgd", learning_rate=1e5, l2=1e5), 0),
        Candidate(HEAD, 0),
    )
    failed, trained = train([wild, calm])
    assert "diverged" in failed.failure
    assert not failed.weights
    (alone,) = train([calm])
    assert trained.history == alone.history
