"""Splits that do not leak: by content, stratified, seeded, and sticky once they are made."""

import hashlib
import logging
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from stores.keys import ImageKey
from stores.manifest import Entry, Manifest, Split

log = logging.getLogger("gargalo.ingest")


@dataclass(frozen=True)
class SplitRule:
    """How the splits are drawn: the seed, the test share of all, validation's of the rest.

    None means: as the data set has it; a new one gets seed 0 and shares of 20%.
    """

    seed: int | None = None
    test_split: float | None = None
    validation_split: float | None = None

    def resolved(self, previous: Manifest | None) -> tuple[int, float, float]:
        """Return seed, test share and validation share for a data set."""
        known = (0, 0.2, 0.2) if previous is None else _rule_of(previous)
        asked = (self.seed, self.test_split, self.validation_split)
        seed, test, validation = (k if a is None else a for k, a in zip(known, asked, strict=True))
        return int(seed), float(test), float(validation)

    def agrees_with(self, previous: Manifest) -> bool:
        """Tell whether a data set's splits were drawn as this rule asks."""
        return self.resolved(previous) == _rule_of(previous)


def split_entries(
    manifest: Manifest, entries: Sequence[Entry], previous: Manifest | None
) -> list[Entry]:
    """Return the entries with their splits, drawn by the rule that `manifest` carries.

    An entry's own split, where it has one, is the one that its folder gives: it stands, but that
    without a test folder some of validation becomes test, as in TensorFlow's tutorial, and without
    a validation folder some of train becomes validation.
    """
    remembered = _remembered(manifest, entries, previous)
    accepted = {e.key: e for e in entries if e.key and e.label and e.status == "accepted"}
    given = {key: entry.split for key, entry in accepted.items() if entry.split}
    if not given:
        splits = assign(
            {key: entry.label or "" for key, entry in accepted.items()},
            remembered,
            seed=manifest.seed,
            test_split=manifest.test_split,
            validation_split=manifest.validation_split,
        )
    elif "validation" not in given.values():
        learned_from = {k: e.label or "" for k, e in accepted.items() if given[k] == "train"}
        splits = given | assign(
            learned_from,
            {key: split for key, split in remembered.items() if split != "test"},
            seed=manifest.seed,
            test_split=0.0,
            validation_split=manifest.validation_split,
        )
    elif "test" in given.values():
        splits = given
    else:
        held_out = {k: e.label or "" for k, e in accepted.items() if given[k] == "validation"}
        splits = given | assign(
            held_out,
            {key: split for key, split in remembered.items() if split != "train"},
            seed=manifest.seed,
            test_split=manifest.test_split,
            validation_split=1.0,
        )
    known = remembered | splits
    return [replace(entry, split=known.get(entry.key)) if entry.key else entry for entry in entries]


def gone(previous: Manifest | None, entries: Sequence[Entry]) -> list[Entry]:
    """Return the images that a data set had and has no more, so that their split is remembered."""
    present = {entry.key for entry in entries}
    lost = {
        entry.key: replace(entry, status="absent")
        for entry in (previous.entries if previous else ())
        if entry.key and entry.split and entry.key not in present
    }
    return list(lost.values())


def quotas(count: int, *, test_split: float, validation_split: float) -> dict[Split, int]:
    """Return how many of a class's `count` images each split should have.

    The test split is a share of all, the validation split a share of what remains, both rounded
    to the nearest whole image.
    """
    test = _rounded(count * test_split)
    validation = _rounded((count - test) * validation_split)
    return {"train": count - test - validation, "validation": validation, "test": test}


def assign(
    labels: Mapping[ImageKey, str],
    remembered: Mapping[ImageKey, Split],
    *,
    seed: int,
    test_split: float,
    validation_split: float,
) -> dict[ImageKey, Split]:
    """Return the split of each distinct image.

    Remembered splits are kept whatever else happens. New images, in an order that only the seed
    and their content decide, fill what their class lacks of its test quota, then of its
    validation quota; the rest is for training.
    """
    splits = {key: remembered[key] for key in labels if key in remembered}
    for keys in _by_label(labels).values():
        new = sorted((key for key in keys if key not in splits), key=lambda key: _draw(seed, key))
        wanted = quotas(len(keys), test_split=test_split, validation_split=validation_split)
        for split in ("test", "validation"):
            lacking = max(0, wanted[split] - sum(splits.get(key) == split for key in keys))
            splits |= dict.fromkeys(new[:lacking], split)
            new = new[lacking:]
        splits |= dict.fromkeys(new, "train")
    return splits


def majority(counts: Mapping[str, Mapping[str, int]]) -> tuple[str, float]:
    """Return the largest class of train, and the accuracy on test of always saying it.

    Where no image is for testing, that on all images. `counts` are images by class and split.
    """
    largest = max(counts, key=lambda name: counts[name]["train"])
    tested = {name: row["test"] for name, row in counts.items()}
    if not any(tested.values()):
        tested = {name: sum(row.values()) for name, row in counts.items()}
    return largest, tested[largest] / max(1, sum(tested.values()))


def _remembered(
    manifest: Manifest, entries: Sequence[Entry], previous: Manifest | None
) -> dict[ImageKey, Split]:
    """Return the splits that images had: by their bytes, else, for an edited one, by its path."""
    if previous is None:
        return {}
    if _rule_of(previous) != _rule_of(manifest):
        log.warning("the splits of %r are drawn anew: another seed or share", manifest.name)
        return {}
    by_key = {e.key: e.split for e in previous.entries if e.key and e.split}
    by_path = {e.path: e.split for e in previous.entries if e.split and e.status != "absent"}
    by_path_of_key = {e.key: by_path[e.path] for e in entries if e.key and e.path in by_path}
    return by_path_of_key | by_key


def _rule_of(manifest: Manifest) -> tuple[int, float, float]:
    return manifest.seed, manifest.test_split, manifest.validation_split


def _by_label(labels: Mapping[ImageKey, str]) -> dict[str, list[ImageKey]]:
    groups: dict[str, list[ImageKey]] = defaultdict(list)
    for key, label in labels.items():
        groups[label].append(key)
    return groups


def _draw(seed: int, key: ImageKey) -> bytes:
    return hashlib.sha256(f"{seed}:{key}".encode()).digest()


def _rounded(number: float) -> int:
    # round() goes to the even neighbour at a half; here a half is always rounded up.
    return math.floor(number + 0.5)
