"""Where a fine-tuning starts: a run's head, as layers can go on learning it."""

import shlex
from dataclasses import replace
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
from tasks.training.evaluate_test_split import load_head
from tasks.training.repeat_commands import features_asked, options

_ABLE = ("dense", "logistic")


def trained_head(runs: RunStore, run: Run) -> TrainedDense:
    """Return a run's head as a dense one, which can learn on.

    A logistic regression is a dense head without hidden layers. Raises InputError for a run that
    was fine-tuned already or failed, and for heads that do not learn by gradients.
    """
    if run.finetuning:
        raise InputError(
            f"run {run.id[:16]} is fine-tuned already, and a fine-tuning starts with a head's run: "
            f"give {run.finetuning['started_from'][:16]}, and as --epochs all that it is to have"
        )
    if run.head["kind"] not in _ABLE:
        raise InputError(
            f"run {run.id[:16]} is a head of kind {run.head['kind']}, which does not learn by "
            f"gradients; expected one of {', '.join(_ABLE)}: {_with_dense(run, runs)}"
        )
    return _as_dense(load_head(runs, run), run)


def check_unchanged(run: Run, manifest: Manifest) -> None:
    """Raise InputError where validation would not be what it was for the head.

    That is, where the data set has changed since, or the head learned from validation too.
    """
    if run.dataset_digest != manifest.digest:
        raise InputError(
            f"run {run.id[:16]}: data set {manifest.name!r} has changed since; extract and train "
            "again, and fine-tune that run"
        )
    if run.folds:
        raise InputError(
            f"run {run.id[:16]} was measured by {run.folds} folds and learned from the validation "
            "images too, so that nothing would tell how good it becomes; train without --folds"
        )


def _with_dense(run: Run, runs: RunStore) -> str:
    """Return what to type for a dense head on the features of a run."""
    asked = features_asked(run) | {"head": "dense", "store": runs.root.show()}
    return " ".join([f"python -m flows.train {shlex.quote(run.dataset)}", *options(asked)])


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


def untrained(head: DenseHead) -> DenseHead:
    """Return the head as it begins without weights: what would standardise is not known."""
    return replace(head, standardize=False)


def _float32(values: Any) -> Any:  # noqa: ANN401  an array
    return np.asarray(values, np.float32)
