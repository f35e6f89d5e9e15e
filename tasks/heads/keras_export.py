"""Heads as built-in Keras layers on flat features, for models that need no gargalo."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tasks.execution.checked_keras import keras
from tasks.heads.dense.specification import DenseHead
from tasks.heads.vote_smoothing import smoothed

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

# Of a dense head's last layer, by its output.
_ACTIVATIONS = {"softmax": "softmax", "sigmoids": "sigmoid", "number": "linear"}
Tensor = Any  # a Keras tensor
Array = NDArray[Any]
Fitted = Any  # an estimator of scikit-learn


def linear(features: Tensor, kernel: Array, bias: Array, activation: str = "linear") -> Tensor:
    """Return a Dense layer with these weights, (inputs, outputs) and (outputs,), on features."""
    layer = keras.layers.Dense(kernel.shape[1], activation=activation)
    outputs = layer(features)
    layer.set_weights([kernel.astype(np.float32), bias.astype(np.float32)])
    return outputs


def dense_scores(features: Tensor, head: DenseHead, weights: Mapping[str, Array]) -> Tensor:
    """Return the scores of a dense head, (n, outputs)."""
    for n, _ in enumerate(head.hidden_units):
        kernel, bias = _scaled(weights, n)
        features = linear(features, kernel, bias)
        if head.batch_norm:
            features = _batch_norm(features, weights, n)
        features = keras.layers.Activation(head.activation)(features)
    kernel, bias = _scaled(weights, len(head.hidden_units))
    if head.output in _ACTIVATIONS:
        return linear(features, kernel, bias, _ACTIVATIONS[head.output])
    # One logit z of two classes: the sigmoids of -z and z are the softmax of 0 and z.
    return linear(features, _with_zeros(kernel), _with_zeros(bias), "softmax")


def pipeline_scores(features: Tensor, pipeline: "Pipeline", classes: int, votes: int = 0) -> Tensor:
    """Return the scores of a scikit-learn pipeline's classifier, (n, classes)."""
    scaler, classifier = pipeline.named_steps.get("standardscaler"), pipeline[-1]
    if hasattr(classifier, "coef_"):
        mean = np.zeros(1) if scaler is None else scaler.mean_
        scale = np.ones(1) if scaler is None else scaler.scale_
        kernel = classifier.coef_.T / np.reshape(scale, (-1, 1))
        bias = classifier.intercept_ - np.broadcast_to(mean, len(kernel)) @ kernel
        return _linear_scores(features, classifier, kernel, bias, classes)
    own = np.eye(classes, dtype=np.float32)[classifier.classes_[classifier._y]]  # noqa: SLF001
    return neighbor_means(features, pipeline, smoothed(own, classifier.n_neighbors, votes))


def neighbor_means(features: Tensor, pipeline: "Pipeline", values: Array) -> Tensor:
    """Return the mean of the values of the nearest of the stored examples, (n, outputs).

    `values` are those of each example, (examples, outputs). If they are smoothed, their mean is so
    too.
    """
    scaler, estimator = pipeline.named_steps.get("standardscaler"), pipeline[-1]
    if scaler is not None:
        mean, variance = scaler.mean_, np.square(scaler.scale_)
        features = keras.layers.Normalization(mean=mean, variance=variance)(features)
    nearest = _nearest(features, estimator)
    table = keras.layers.Embedding(*values.shape)
    means = keras.layers.GlobalAveragePooling1D()(table(nearest))
    table.set_weights([values.astype(np.float32)])
    return means


def _linear_scores(
    features: Tensor, classifier: Fitted, kernel: Array, bias: Array, classes: int
) -> Tensor:
    probable = hasattr(classifier, "predict_proba")
    if kernel.shape[1] == 1:  # two classes: the score of the second
        kernel, bias = (
            (_with_zeros(kernel), _with_zeros(bias))
            if probable
            else (np.hstack([-kernel, kernel]), np.hstack([-bias, bias]))
        )
    whole_kernel = np.zeros((len(kernel), classes))
    whole_bias = np.full(classes, -np.inf)  # for classes without an example
    whole_kernel[:, classifier.classes_], whole_bias[classifier.classes_] = kernel, bias
    return linear(features, whole_kernel, whole_bias, "softmax" if probable else "linear")


def _nearest(features: Tensor, estimator: Fitted) -> Tensor:
    """Return the places of the nearest of the stored examples, (n, neighbors)."""
    examples = np.asarray(estimator._fit_X, np.float64)  # noqa: SLF001  it has no public name
    if estimator.metric == "cosine":
        features = keras.layers.UnitNormalization()(features)
        norms = np.linalg.norm(examples, axis=1, keepdims=True)
        kernel, bias = (examples / np.where(norms > 0, norms, 1)).T, np.zeros(len(examples))
    else:  # -|x - t|² without |x|², which is the same for all examples
        kernel, bias = 2 * examples.T, -np.square(examples).sum(axis=1)
    nearness = linear(features, kernel, bias)
    _, nearest = keras.ops.top_k(nearness, estimator.n_neighbors)
    return nearest


def _batch_norm(features: Tensor, weights: Mapping[str, Array], n: int) -> Tensor:
    layer = keras.layers.BatchNormalization()  # its epsilon is the trainer's
    outputs = layer(features, training=False)
    names = ("gamma", "beta", "moving_mean", "moving_variance")
    layer.set_weights([weights[f"{name}_{n}"].reshape(-1) for name in names])
    return outputs


def _scaled(weights: Mapping[str, Array], n: int) -> tuple[Array, Array]:
    """Return a layer's kernel and bias; for the first layer, with the scaling included."""
    kernel = weights[f"kernel_{n}"].astype(np.float64)
    bias = weights.get(f"bias_{n}", np.zeros(kernel.shape[1])).reshape(-1).astype(np.float64)
    if n == 0 and "mean" in weights:
        kernel = kernel / weights["scale"].reshape(-1, 1)
        bias = bias - weights["mean"].reshape(-1) @ kernel
    return kernel, bias


def _with_zeros(values: Array) -> Array:
    """Return the values of the second class, with zeros for the first."""
    return np.concatenate([np.zeros_like(values), values], axis=-1)
