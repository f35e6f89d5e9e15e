"""The initial head of a fine-tuning: a run's head as a dense one."""

import shlex
from typing import Any

import numpy as np

from stores.manifest import Manifest
from stores.runs.record import Run
from stores.runs.store import RunStore
from tasks.errors import InputError
from tasks.heads import TrainedHead
from tasks.heads.dense.specification import DenseHead
from tasks.heads.dense.stacked_networks import Weights
from tasks.heads.dense.trained import TrainedDense
from tasks.heads.sklearn_heads import TrainedPipeline
from tasks.heads.stored import load_head
from tasks.training.repeat_commands import options, requested_features

_ABLE = ("dense", "logistic")


def trained_head(runs: RunStore, run: Run) -> TrainedDense:
    """Return a run's head as a dense one.

    A logistic regression is a dense head without hidden layers. Raises InputError for a run that
    is fine-tuned or has failed, and for heads that are not trained by gradients.
    """
    if run.finetuning:
        raise InputError(
            f"run {run.id[:16]}: expected a run of a head, received a fine-tuned run; give "
            f"{run.finetuning['started_from'][:16]} with the total number of --epochs"
        )
    if run.head["kind"] not in _ABLE:
        raise InputError(
            f"run {run.id[:16]}: expected a head of kind {' or '.join(_ABLE)}, received "
            f"{run.head['kind']}; train one with {_with_dense(run, runs)}"
        )
    return _as_dense(load_head(runs, run), run)


def check_unchanged(run: Run, manifest: Manifest) -> None:
    """Raise InputError if the validation split would not be valid for the head.

    That is, if the data set has changed since, or the head was trained on the validation images.
    """
    if run.dataset_digest != manifest.digest:
        raise InputError(
            f"run {run.id[:16]}: data set {manifest.name!r} has changed since the training; "
            "extract and train again, and fine-tune that run"
        )
    if run.folds:
        raise InputError(
            f"run {run.id[:16]} was trained with --folds {run.folds}, so on the validation images "
            "too, which therefore cannot evaluate a fine-tuning; train a run without --folds"
        )


def _with_dense(run: Run, runs: RunStore) -> str:
    """Return the command that trains a dense head on the features of a run."""
    flags = requested_features(run) | {"head": "dense", "store": runs.root.show()}
    return " ".join([f"python -m flows.train {shlex.quote(run.dataset)}", *options(flags)])


def _as_dense(head: TrainedHead, run: Run) -> TrainedDense:
    if isinstance(head, TrainedDense):
        return head
    if not isinstance(head, TrainedPipeline):
        raise InputError(
            f"run {run.id[:16]} was trained by an earlier version of gargalo; train again"
        )
    scaler, classifier = head.pipeline.named_steps.get("standardscaler"), head.pipeline[-1]
    kernel, bias = classifier.coef_.T, classifier.intercept_[np.newaxis]
    weights: Weights = {"kernel_0": _float32(kernel), "bias_0": _float32(bias)}
    if scaler is not None:
        weights |= {"mean": _float32(scaler.mean_), "scale": _float32(scaler.scale_)}
    return TrainedDense(
        DenseHead(
            dropout=0.0,
            output="logit" if kernel.shape[1] == 1 else "softmax",
            class_weights=run.head["class_weights"],
            standardize=scaler is not None,
        ),
        weights,
    )


def _float32(values: Any) -> Any:  # noqa: ANN401  an array
    return np.asarray(values, np.float32)
