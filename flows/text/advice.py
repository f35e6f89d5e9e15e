"""What the command line says of advice, for people who need not know the measures."""

import textwrap
from collections.abc import Iterator
from typing import Any

from flows.cli.terminal import with_visible_names
from flows.text.stores import many
from tasks.advice.recommendation import LARGE

_WIDTH = 100
_LIKENESS = {
    "similar": "similar to ImageNet",
    "different": "different from ImageNet",
    "unknown": "whether similar to ImageNet or different, the evidence does not say",
    "unlearnable": "with these labels, nothing that the backbone sees tells the classes apart",
}
_CERTAINTY = {
    "agreed": "",
    "disputed": ", though not all evidence says so",
    "little evidence": ", as far as little evidence can say",
}


@with_visible_names
def tell_advise(summary: dict[str, Any]) -> str:
    """Say how large a data set is and what it is like, by which evidence, and what to do."""
    method = summary["method"]
    size = "large" if summary["large"] else "small"
    told = summary["likeness"] in {"similar", "different"}
    certainty = _CERTAINTY[summary["certainty"]] if told else ""
    lines = [
        f"{summary['dataset']}: {size}; {_LIKENESS[summary['likeness']]}{certainty}",
        f"  {size}: {many(summary['smallest_class'], 'image')} of train and validation in the "
        f"smallest class; {LARGE:,} and more are large",
        *(f"  note: {note}" for note in summary["extract"]["notes"]),
        *_found(summary["findings"]),
        *_measured(summary["evidence"]),
        *_wrapped(f"what to do: {method['what']}"),
        *_wrapped(f"why: {method['why']}", "  "),
        *(f"  {command}" for command in method["commands"]),
    ]
    if any(" RUN " in command for command in method["commands"]):
        lines.append("  RUN is the id of the run that flows.train marks with a star")
    return "\n".join(lines)


def _found(findings: list[dict[str, str]]) -> Iterator[str]:
    words = {"unknown": "neither", "unlearnable": "chance"}
    for finding in findings:
        word = words.get(finding["likeness"], finding["likeness"])
        yield from _wrapped(f"{word}: {finding['reason']}", "  ")


def _measured(evidence: dict[str, Any]) -> Iterator[str]:
    yield (
        f"measured on {many(evidence['images'], 'image')} of {many(evidence['classes'], 'class')} "
        "from train and validation (no test image was looked at):"
    )
    width = max(len(layer["tap"]) for layer in evidence["layers"])
    yield f"  {'layer':{width}}  numbers  accuracy   LogME"
    best = max(layer["accuracy"] for layer in evidence["layers"])
    for layer in evidence["layers"]:
        mark = " *" if layer["accuracy"] == best else ""
        yield (
            f"  {layer['tap']:{width}}  {layer['numbers']:7}  {layer['accuracy']:8.4f}  "
            f"{layer['logme']:6.3f}{mark}"
        )
    yield from _wrapped(
        "accuracy: of a linear classifier on what the layer gives, by folds; of guessing it is "
        f"{1 / evidence['classes']:.4f}. LogME: how well the same numbers explain the labels, "
        "found without training; more is better.",
        "  ",
    )
    if answers := evidence["answers"]:
        yield from _wrapped(
            "ImageNet classifier: the first of its 1,000 answers has a probability of "
            f"{answers['sureness']:.2f} on average; by that answer alone, classes are told apart "
            f"with an accuracy of {answers['accuracy']:.4f}.",
            "  ",
        )


def _wrapped(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(
        text, _WIDTH, initial_indent=indent, subsequent_indent=f"{indent}  ", break_on_hyphens=False
    )
