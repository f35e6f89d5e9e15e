"""Linear support vector machines, by scikit-learn."""

from typing import Any, Literal

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from tasks.heads.one_vs_rest import one_vs_rest
from tasks.heads.setting_types import ClassWeights, Strength
from tasks.heads.sklearn_heads import linear_options, pipeline_kind


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class SvmHead:
    """A linear support vector machine, one class or label against the rest."""

    inverse_regularization: Strength = 0.01  # scikit-learn's C
    class_weights: ClassWeights = "none"
    standardize: bool = True
    kind: Literal["svm"] = "svm"


def _classifier(head: SvmHead, seed: int, _count: int) -> Any:  # noqa: ANN401  scikit-learn's
    from sklearn.svm import LinearSVC

    return LinearSVC(**linear_options(head), random_state=seed)


KIND = one_vs_rest(pipeline_kind(SvmHead, _classifier, margins=True), _classifier)
