"""Predictions as a table, for files."""

from collections.abc import Sequence

import pyarrow as pa

from stores.targets import Target
from tasks.inference.answer_names import answer_text
from tasks.inference.predict import Prediction


def as_table(
    predictions: Sequence[Prediction],
    classes: Sequence[str],
    target: Target = "classes",
    separator: str = "",
) -> pa.Table:
    """Return predictions as a table: path, predicted, reason, split, and more by the target.

    `split` is that of an image in the run's data set. Of classes there is `probability`, that of
    the predicted class; of classes and labels, a column `probability of NAME` for each. Several
    labels are a text with the separator between them. A number is a float64. With a coverage there
    are `set`, a list of classes, and `unsure`, whether it is not one class; or `low` and `high`,
    the ends of a number's interval. Where images were compared with the training images there are
    `novelty`, a p-value, `nearest`, paths of the most similar of these, and `similarity`, the
    cosine of the first.
    """
    columns = {"path": pa.array([one.path for one in predictions], pa.string())}
    columns |= _answers(predictions, target, separator)
    columns["reason"] = pa.array([one.reason or None for one in predictions], pa.string())
    columns["split"] = pa.array([one.split or None for one in predictions], pa.string())
    if any(one.set is not None for one in predictions):
        sets = [one.set for one in predictions]
        columns["set"] = pa.array(sets, pa.list_(pa.string()))
        columns["unsure"] = pa.array([one.unsure for one in predictions], pa.bool_())
    if any(one.novelty for one in predictions):
        new = [one.novelty for one in predictions]
        nearest = [one and [each.path for each in one.nearest] for one in new]
        columns["novelty"] = pa.array([one and one.p_value for one in new], pa.float64())
        columns["nearest"] = pa.array(nearest, pa.list_(pa.string()))
        alike = [one and one.nearest[0].similarity for one in new]
        columns["similarity"] = pa.array(alike, pa.float64())
    for number, label in enumerate(classes if target != "number" else ()):
        found = [one.probabilities[number] if one.scores else None for one in predictions]
        columns[f"probability of {label}"] = pa.array(found, pa.float64())
    return pa.table(columns)


def _answers(
    predictions: Sequence[Prediction], target: Target, separator: str
) -> dict[str, pa.Array]:
    predicted = [one.predicted for one in predictions]
    if target == "number":
        columns = {"predicted": pa.array(predicted, pa.float64())}
        if any(one.interval for one in predictions):
            ends = [one.interval or (None, None) for one in predictions]
            columns["low"] = pa.array([low for low, _ in ends], pa.float64())
            columns["high"] = pa.array([high for _, high in ends], pa.float64())
        return columns
    texts = [answer_text(one, separator) for one in predicted]
    columns = {"predicted": pa.array(texts, pa.string())}
    if target == "classes":
        own = [one.probability for one in predictions]
        columns["probability"] = pa.array(own, pa.float64())
    return columns
