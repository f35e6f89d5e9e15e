"""What the command line prints of advice, for people who need not know the measures."""

import textwrap
from collections.abc import Iterator

from flows.cli.terminal import with_visible_names
from flows.summaries.advice import AdviseSummary
from flows.text.stores import many
from tasks.advice.evidence import Evidence
from tasks.advice.recommendation import LARGE
from tasks.advice.verdict import Finding

_WIDTH = 100
_LIKENESS = {
    "similar": "similar to ImageNet",
    "different": "different from ImageNet",
    "unknown": "similar to ImageNet or different: the evidence is undecided",
    "unlearnable": "no layer of the backbone predicts these labels better than chance",
}
_CERTAINTY = {
    "agreed": "",
    "disputed": ", though some evidence disagrees",
    "little evidence": ", on little evidence",
}


@with_visible_names
def advise_text(summary: AdviseSummary) -> str:
    """Return how large a data set is and what it is like, by which evidence, and what to do."""
    method = summary.method
    size = "large" if summary.large else "small"
    decided = summary.likeness in {"similar", "different"}
    certainty = _CERTAINTY[summary.certainty] if decided else ""
    lines = [
        f"{summary.dataset}: {size}; {_LIKENESS[summary.likeness]}{certainty}",
        f"  {size}: {many(summary.smallest_class, 'image')} of train and validation in the "
        f"smallest class; {LARGE:,} and more are large",
        *(f"  note: {note}" for note in summary.extract.notes),
        *_findings(summary.findings),
        *_measured(summary.evidence),
        *_wrapped(f"what to do: {method.what}"),
        *_wrapped(f"why: {method.why}", "  "),
        *(f"  {command}" for command in method.commands),
    ]
    if any(" RUN " in command for command in method.commands):
        lines.append("  RUN is the id of the run that flows.train marks with a star")
    return "\n".join(lines)


def _findings(findings: tuple[Finding, ...]) -> Iterator[str]:
    words = {"unknown": "neither", "unlearnable": "chance"}
    for finding in findings:
        word = words.get(finding.likeness, finding.likeness)
        yield from _wrapped(f"{word}: {finding.reason}", "  ")


def _measured(evidence: Evidence) -> Iterator[str]:
    yield (
        f"measured on {many(evidence.images, 'image')} of {many(evidence.classes, 'class')} "
        "from train and validation (no test image is used):"
    )
    width = max(len(layer.tap) for layer in evidence.layers)
    yield f"  {'layer':{width}}  numbers  accuracy   LogME"
    best = max(layer.accuracy for layer in evidence.layers)
    for layer in evidence.layers:
        mark = " *" if layer.accuracy == best else ""
        yield (
            f"  {layer.tap:{width}}  {layer.numbers:7}  {layer.accuracy:8.4f}  "
            f"{layer.logme:6.3f}{mark}"
        )
    yield from _wrapped(
        "accuracy: of a linear classifier on the layer's features, by folds; chance is "
        f"{1 / evidence.classes:.4f}. LogME: how well the features explain the labels, found "
        "without training; more is better.",
        "  ",
    )
    if answers := evidence.answers:
        yield from _wrapped(
            "ImageNet classifier: the mean probability of its first answer is "
            f"{answers.sureness:.2f}; that answer alone predicts the classes with an accuracy of "
            f"{answers.accuracy:.4f}.",
            "  ",
        )


def _wrapped(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(
        text, _WIDTH, initial_indent=indent, subsequent_indent=f"{indent}  ", break_on_hyphens=False
    )
