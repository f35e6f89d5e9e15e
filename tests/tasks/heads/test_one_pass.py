"""A head in company is the head alone, and both are what Keras makes of the same specification."""

from dataclasses import replace
from functools import partial
from typing import get_args

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.heads.choices import Activation, DenseHead
from tasks.heads.dense import TrainedDense
from tasks.heads.networks import first_weights
from tasks.heads.one_pass import Entrant, Fold, MemoryStream, architecture_of, train_together
from tests.stores.samples import few

HEAD = DenseHead((), "relu", 0.0, "softmax", "adam", 1e-2, 8, 3)


def examples(classes=3, count=60, width=6, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, count)
    return (np.eye(classes, width)[labels] * 2 + rng.normal(size=(count, width))).astype(
        "f4"
    ), labels


def fold(count=60):
    train = np.arange(count) % 4 > 0
    return Fold(train, ~train)


def train(entrants, classes=3, folds=None):
    features, labels = examples(classes)
    return train_together(
        entrants, MemoryStream(features), labels, folds or [fold()], classes=classes
    )


def twin(head, weights, classes, steps):
    """Return the Keras model of a head, with these weights."""
    regularizer = keras.regularizers.L2(head.l2) if head.l2 else None
    dense = partial(keras.layers.Dense, kernel_regularizer=regularizer)
    layers = [keras.Input((6,))]
    for units in head.hidden_units:
        layers.append(dense(units, use_bias=not head.batch_norm))
        layers += [keras.layers.BatchNormalization()] if head.batch_norm else []
        layers.append(keras.layers.Activation(head.activation))
    units = classes if head.output == "softmax" else 1
    layers.append(dense(units))
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
    loss = (
        keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing)
        if head.output == "softmax"
        else keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=smoothing)
    )
    model.compile(optimizer=optimizer[head.optimizer](rate), loss=loss)
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
    (outcome,) = train([Entrant(head, seed=4)], classes)
    architecture = architecture_of(head, 6, classes if head.output == "softmax" else 1)
    weights, _ = np.random.SeedSequence(4).spawn(2)
    model = twin(head, first_weights(architecture, np.random.default_rng(weights)), classes, 3 * 6)
    counts = np.bincount(labels[fold().train], minlength=classes)
    weight = (
        counts.sum() / (classes * counts) if head.class_weights == "balanced" else np.ones(classes)
    )
    for epoch in range(head.epochs):
        order = np.arange(60)
        np.random.default_rng(epoch).shuffle(order)
        order = order[fold().train[order]]
        targets = (
            np.eye(classes, dtype="f4")[labels] if head.output == "softmax" else labels[:, None]
        )
        model.fit(
            features[order],
            targets[order],
            sample_weight=weight[labels[order]],
            batch_size=8,
            epochs=1,
            shuffle=False,
            verbose=0,
        )
    trained = TrainedDense(head, outcome.weights)
    expected = model.predict(features, verbose=0)
    np.testing.assert_allclose(trained.logits(features), expected, rtol=1e-4, atol=1e-4)


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
    batch_norm=st.booleans(),
    patience=st.sampled_from([None, 1]),
    standardize=st.booleans(),
)
ENTRANTS = st.builds(Entrant, HEADS, seed=st.integers(0, 2), fold=st.integers(0, 1))


@few
@given(st.lists(ENTRANTS, min_size=1, max_size=12))
def test_company_changes_nothing(entrants):
    folds = [fold(), Fold(~fold().train, fold().train)]
    for entrant, together in zip(entrants, train(entrants, folds=folds), strict=True):
        (alone,) = train([entrant], folds=folds)
        assert alone.history == together.history
        for name, weights in alone.weights.items():
            np.testing.assert_array_equal(weights, together.weights[name])


def test_patience_ends_a_head_and_takes_its_best_epoch():
    asked = replace(HEAD, learning_rate=0.3, epochs=60, patience=3)
    (outcome,) = train([Entrant(asked, seed=0)])
    losses = [epoch["val_loss"] for epoch in outcome.history]
    best = int(np.argmin(losses)) + 1
    assert len(losses) == best + 3 < 60
    (until_then,) = train([Entrant(replace(asked, epochs=best, patience=None), seed=0)])
    np.testing.assert_array_equal(outcome.weights["kernel_0"], until_then.weights["kernel_0"])


def test_a_head_that_diverges_is_marked_and_the_others_go_on():
    wild, calm = Entrant(replace(HEAD, learning_rate=1e30), 0), Entrant(HEAD, 0)
    failed, trained = train([wild, calm])
    assert "diverged" in failed.failure
    assert not failed.weights
    (alone,) = train([calm])
    assert trained.history == alone.history
