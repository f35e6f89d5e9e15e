"""Data sets of several labels or of a number, made of one of classes."""

from dataclasses import replace

from stores.targets import labels_text, number_text
from tests.support.entries import entries_of, with_entries

SEPARATOR = "; "


def relabelled(manifest, target, store):
    """Write a data set of classes `cats` and `dogs` with another target, in the same splits.

    Of labels, each image has its class, some are `old`, too, and some are nothing. The number is 10
    for cats and 20 for dogs, and a little more for each.
    """
    entries = []
    for n, entry in enumerate(entries_of(manifest)):
        names = {entry.label} | ({"old"} if n % 3 else set())
        several = labels_text(names if n % 7 else (), SEPARATOR)
        number = number_text({"cats": 10.0, "dogs": 20.0}[entry.label] + n / 20)
        label = several if target == "labels" else number
        entries.append(replace(entry, label=label, given_label=None))
    classes = ("cats", "dogs", "old") if target == "labels" else ("age",)
    separator = SEPARATOR if target == "labels" else ""
    made = with_entries(
        manifest, entries, name=target, classes=classes, target=target, label_separator=separator
    )
    made.write(store)
    return made
