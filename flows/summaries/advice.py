"""What advice returns."""

from dataclasses import dataclass

from tasks.advice.evidence import Evidence
from tasks.advice.recommendation import Method
from tasks.advice.verdict import Certainty, Finding, Likeness
from tasks.features.accounting import ExtractSummary


@dataclass(frozen=True, kw_only=True)
class AdviseSummary:
    """Whether images are like ImageNet's, by which evidence, and the method for them."""

    dataset: str
    likeness: Likeness
    certainty: Certainty
    large: bool
    smallest_class: int  # images of train and validation
    findings: tuple[Finding, ...]
    evidence: Evidence
    method: Method
    extract: ExtractSummary
