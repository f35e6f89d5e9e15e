"""Logistic regression, by scikit-learn."""

from typing import Any, Literal

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from tasks.heads.one_vs_rest import one_vs_rest
from tasks.heads.setting_types import ClassWeights, Strength
from tasks.heads.sklearn_heads import linear_options, pipeline_kind


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class LogisticHead:
    """Logistic regression with an L2 penalty; of several labels, each against the rest."""

    inverse_regularization: Strength = 0.1  # scikit-learn's C; good on photographs and digits
    class_weights: ClassWeights = "none"
    standardize: bool = True
    kind: Literal["logistic"] = "logistic"


def _classifier(head: LogisticHead, _seed: int, _count: int) -> Any:  # noqa: ANN401  scikit-learn's
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(**linear_options(head))


KIND = one_vs_rest(pipeline_kind(LogisticHead, _classifier), _classifier)
