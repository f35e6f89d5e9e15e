"""The network that is trained: a backbone cut into a frozen and a trained part, and a head."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from stores.features.recipe import Pooling, Recipe
from tasks.backbones.files.backbone import special_tokens
from tasks.backbones.files.keras_file import backbone_of
from tasks.backbones.layer_graph import build_graph
from tasks.backbones.weights import Weights, build_backbone
from tasks.errors import InputError
from tasks.execution.checked_keras import keras
from tasks.features.engines.keras_engine import pooled, tap_output
from tasks.finetune.layers import freeze, last_frozen_cut, layers_up_to
from tasks.finetune.specification import NOTHING, FineTuning
from tasks.heads.dense.specification import DenseHead
from tasks.heads.dense.stacked_networks import Weights as HeadWeights
from tasks.heads.dense.trained import TrainedDense

Model = Any  # a Keras model


class _InInference(keras.layers.Layer):  # type: ignore[misc]
    """A model that runs in inference mode during training; its weights can be trained.

    Keras's tutorials use `model(inputs, training=False)` for this. Keras 3 overrides it with
    `training=True` in a training step (operation_fn in keras/src/models/functional.py; issue 20285
    of keras-team/keras).
    """

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model

    def call(self, inputs: Any) -> Any:  # noqa: ANN401  Keras's tensors
        return self.model(inputs, training=False)

    def compute_output_shape(self, _shape: Any) -> Any:  # noqa: ANN401
        return self.model.output_shape


@dataclass(frozen=True)
class Cut:
    """The end of the frozen part of a backbone; its outputs are features."""

    tap: str
    pooling: Pooling


@dataclass(frozen=True)
class Network:
    """A backbone and a head to be trained on preprocessed images."""

    base: Model  # the whole backbone
    cut: Cut | None  # the end of the frozen part, if there is one
    rest: Model  # from the outputs at the cut to logits: (n, 1) for two classes, or (n, classes)
    whole: Model  # from preprocessed images to logits
    head: DenseHead
    scaling: HeadWeights  # mean and scale of the head's features, if they are standardized

    def trained_head(self) -> TrainedDense:
        """Return the head with its current weights, without a history."""
        weights = dict(self.scaling)
        for name, variable in self.head_variables():
            value = np.asarray(variable, np.float32)
            weights[name] = value.reshape(-1, value.shape[-1])
        return TrainedDense(self.head, weights)

    def head_variables(self) -> Iterator[tuple[str, Any]]:
        """Yield the variables of the head, by the names of the arrays of a trained head."""
        for layer in self.rest.layers:
            kind, _, number = layer.name.rpartition("_")
            for name, variable in zip(_VARIABLES.get(kind, ()), layer.weights, strict=False):
                yield f"{name}_{number}", variable


# The names of the head's layers, with their numbers, and of their variables, in Keras's order.
_DENSE, _BATCH_NORM = "head_dense", "head_batch_norm"
_VARIABLES = {
    _DENSE: ("kernel", "bias"),
    _BATCH_NORM: ("gamma", "beta", "moving_mean", "moving_variance"),
}


def build_network(
    recipe: Recipe,
    weights: Weights,
    head: DenseHead,
    tuning: FineTuning,
    *,
    classes: int,
    seed: int,
    trained: HeadWeights | None = None,
) -> Network:
    """Return the network of a fine-tuning, with its initial weights.

    Without `trained`, the head's weights are random, by the seed. Raises InputError if the head
    does not fit the backbone's features.
    """
    base = build_backbone(backbone_of(recipe, weights.path), weights, recipe.image_size)
    cut = _frozen(base, recipe, tuning)
    output = tap_output(base, recipe.tap)
    if cut is None:
        before, middle = base.input, keras.Model(base.input, output)
    else:
        before = pooled(tap_output(base, cut.tap), cut.pooling, cut.tap, special_tokens(recipe))
        middle = None if tuning.unfreeze == NOTHING else keras.Model(before, output)
    inputs = keras.Input(before.shape[1:])
    features = inputs
    if middle is not None:
        learning = middle if tuning.train_batch_norm else _InInference(middle)
        features = pooled(learning(inputs), recipe.pooling, recipe.tap, special_tokens(recipe))
    features = keras.layers.Flatten()(features)
    _check_fits(trained, features.shape[-1], recipe)
    scaling: HeadWeights = {n: v for n, v in (trained or {}).items() if n in {"mean", "scale"}}
    outputs = classes if head.output == "softmax" else 1
    logits = _head(_scaled(features, scaling), head, outputs, seed)
    rest = keras.Model(inputs, logits, name="rest")
    images = keras.Input(base.input_shape[1:])
    frozen = images if cut is None else _InInference(keras.Model(base.input, before))(images)
    network = Network(base, cut, rest, keras.Model(images, rest(frozen)), head, scaling)
    if trained is not None:
        for name, variable in network.head_variables():
            variable.assign(trained[name].reshape(variable.shape))
    return network


def cut_of(recipe: Recipe, tuning: FineTuning, *, file: str = "") -> Cut | None:
    """Return where the network of a fine-tuning is cut, whatever its weights.

    `file` is that of a backbone from one.
    """
    base = build_graph(backbone_of(recipe, file), recipe.image_size)
    return _frozen(base, recipe, tuning)


def _frozen(base: Model, recipe: Recipe, tuning: FineTuning) -> Cut | None:
    """Freeze the layers that are not trained, and return where these end."""
    freeze(base, layers_up_to(base, recipe.tap), tuning.unfreeze)
    if tuning.unfreeze == NOTHING:  # all of the backbone, and what is made of its map
        return Cut(recipe.tap, recipe.pooling)
    if not base.trainable_weights:
        raise InputError(
            f"--unfreeze {tuning.unfreeze}: {recipe.backbone} has no weights from this layer on; "
            "give an earlier layer, or --strategy partial"
        )
    name = last_frozen_cut(keras.Model(base.input, tap_output(base, recipe.tap)))
    return None if name is None else Cut(name, "none")


def _head(features: Any, head: DenseHead, outputs: int, seed: int) -> Any:  # noqa: ANN401
    """Return the logits of a head on flat features, with the layers of the one-pass trainer."""
    layers = keras.layers
    penalty = keras.regularizers.L2(head.l2) if head.l2 else None

    def dense(units: int, n: int, *, use_bias: bool = True) -> Any:  # noqa: ANN401
        drawn = keras.initializers.GlorotUniform(seed=seed + n)
        return layers.Dense(
            units,
            use_bias=use_bias,
            kernel_initializer=drawn,
            kernel_regularizer=penalty,
            name=f"{_DENSE}_{n}",
        )

    for n, units in enumerate(head.hidden_units):
        features = dense(units, n, use_bias=not head.batch_norm)(features)
        if head.batch_norm:
            features = layers.BatchNormalization(name=f"{_BATCH_NORM}_{n}")(features)
        features = layers.Activation(head.activation)(features)
        features = layers.Dropout(head.dropout, seed=seed + n)(features)
    if not head.hidden_units:
        features = layers.Dropout(head.dropout, seed=seed)(features)
    return dense(outputs, len(head.hidden_units))(features)


def _scaled(features: Any, scaling: HeadWeights) -> Any:  # noqa: ANN401
    if not scaling:
        return features
    variance = np.square(scaling["scale"])
    return keras.layers.Normalization(mean=scaling["mean"], variance=variance)(features)


def _check_fits(trained: HeadWeights | None, width: int, recipe: Recipe) -> None:
    if trained is not None and len(trained["kernel_0"]) != width:
        raise InputError(
            f"the head expects features of {len(trained['kernel_0'])} values, but {recipe} gives "
            f"{width}; fine-tune at the image size of the run, or train a head on features of this "
            "image size first"
        )
