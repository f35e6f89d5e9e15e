"""The verdict on whether images are similar to ImageNet's, from all evidence."""

from dataclasses import dataclass
from typing import Literal

from tasks.advice.evidence import Evidence

CERTAIN = 0.05  # significance level
# The smallest relevant gain in accuracy. An earlier layer gained 0.033 to 0.17 on seven sets of
# images, and at most 0.004 on four sets that all layers can classify.
GAIN = 0.01
SURE, UNSURE = 1 / 3, 1 / 4  # limits of the ImageNet classifier's probability; see `_of_answers`

Certainty = Literal["agreed", "disputed", "little evidence"]
Likeness = Literal["similar", "different", "unknown", "unlearnable"]


@dataclass(frozen=True)
class Finding:
    """The conclusion from one piece of evidence, with the reason."""

    likeness: Likeness
    reason: str


@dataclass(frozen=True)
class Verdict:
    """The conclusion from all evidence, and from each piece of it."""

    likeness: Likeness
    findings: tuple[Finding, ...]

    @property
    def certainty(self) -> Certainty:
        """The certainty: whether all findings agree, and whether more than LogME supports it."""
        if self.likeness in {finding.likeness for finding in self.findings[:2]}:
            others = {finding.likeness for finding in self.findings} - {self.likeness, "unknown"}
            return "disputed" if others else "agreed"
        return "little evidence"


def verdict_of(evidence: Evidence) -> Verdict:
    """Return whether images are similar to ImageNet's, for the purpose of classifying them.

    1. No layer's probe is significantly better than guessing (p >= CERTAIN divided by the number
       of layers, because the best is tested): `unlearnable`.
    2. The best earlier layer's probe is significantly better than the output's, by at least GAIN
       (exact McNemar test, p < CERTAIN divided by the number of earlier layers): `different`. The
       output's is significantly better (p < CERTAIN): `similar`. Probes are measured on these
       images and labels; other evidence that disagrees is reported, but does not change this.
    3. Otherwise the ImageNet classifier decides: `unknown` if its mean probability is UNSURE or
       less, because the images are unlike ImageNet's although the last layer is good enough; else
       `similar`. LogME is reported, but decides nothing, because it has no absolute scale.
    """
    needed = CERTAIN / len(evidence.layers)
    if evidence.chance >= needed:
        top = max(layer.accuracy for layer in evidence.layers)
        reason = (
            f"no layer is significantly better than guessing: accuracy {top:.4f} for the best, "
            f"{1 / evidence.classes:.4f} for guessing (p = {evidence.chance:.2g}, expected below "
            f"{needed:.2g})"
        )
        return Verdict("unlearnable", (Finding("unlearnable", reason),))
    probes, answers = _of_probes(evidence), _of_answers(evidence)
    likeness = probes.likeness
    if likeness == "unknown" and answers.likeness != "different":
        likeness = "similar"
    return Verdict(likeness, (probes, answers, _of_logme(evidence)))


def _of_probes(evidence: Evidence) -> Finding:
    best, gain = evidence.best_earlier, evidence.earlier
    more, p = f"{abs(gain.difference):.1%} more images correct", f"p = {gain.p_value:.2g}"
    if gain.difference >= GAIN and gain.p_value < CERTAIN / (len(evidence.layers) - 1):
        reason = f"{best.tap}, an earlier layer, has {more} than the output ({p})"
        return Finding("different", reason)
    if gain.difference < 0 and gain.p_value < CERTAIN:
        reason = f"the output has {more} than {best.tap}, the best earlier layer ({p})"
        return Finding("similar", reason)
    return Finding(
        "unknown",
        f"no significant difference between the output and {best.tap}, the best earlier layer",
    )


def _of_answers(evidence: Evidence) -> Finding:
    """Return the conclusion from the mean probability of the ImageNet classifier's top class.

    Measured with EfficientNet-Lite0 at 224 pixels. Photographs: cats and dogs 0.41 (as negatives
    0.40, rotated by quarters 0.34), surfaces 0.38, crops of seven scenes 0.36, crops of medical
    images 0.31. Drawings or small images: faces of 25 pixels 0.21, cats and dogs of 32 grey pixels
    0.20, shapes 0.20, patterns 0.20, letters 0.17, spectrograms 0.15, MNIST 0.14, digits 0.09. SURE
    and UNSURE are in the gap. These did not separate the two: the accuracy of the top class, or of
    all 1,000 probabilities, for the classes; the mutual information of top class and label; and the
    H-score (Y. Bao et al., ICIP 2019), which grows with the width of a layer.
    """
    if evidence.answers is None:
        return Finding("unknown", evidence.unasked)
    sureness = evidence.answers.sureness
    mean = f"the ImageNet classifier's top class has a mean probability of {sureness:.2f}"
    if sureness >= SURE:
        return Finding("similar", f"{mean}, as for images like ImageNet's ({SURE:.2f} or more)")
    if sureness <= UNSURE:
        return Finding("different", f"{mean}, as for images unlike ImageNet's (up to {UNSURE:.2f})")
    return Finding("unknown", f"{mean}: neither low, up to {UNSURE:.2f}, nor high, from {SURE:.2f}")


def _of_logme(evidence: Evidence) -> Finding:
    best = max(evidence.layers, key=lambda layer: layer.logme)
    if best is evidence.output:
        return Finding("similar", "LogME is highest at the output")
    return Finding("different", f"LogME is highest at {best.tap}, an earlier layer")
