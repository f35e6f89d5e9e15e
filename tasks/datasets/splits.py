"""Train, validation and test splits: by content, stratified, seeded, and kept once assigned."""

import hashlib
import logging
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from stores.keys import ImageKey
from stores.manifest import Entry, Manifest, Split
from tasks.datasets.split_file import SplitFile

log = logging.getLogger("gargalo.ingest")

_ROUNDING = 1e-9  # of floating point


@dataclass(frozen=True)
class SplitRule:
    """How images are split: the seed, the fraction of test images, and of validation images.

    None: the value of the data set; a new data set has seed 0 and fractions of 0.2. A split file
    gives each image its split instead.
    """

    seed: int | None = None
    test_split: float | None = None
    validation_split: float | None = None
    file: Path | None = None

    def resolved(self, previous: Manifest | None) -> tuple[int, float, float]:
        """Return seed, test fraction and validation fraction for a data set."""
        known = (0, 0.2, 0.2) if previous is None else _rule_of(previous)
        own = (self.seed, self.test_split, self.validation_split)
        seed, test, validation = (k if o is None else o for k, o in zip(known, own, strict=True))
        return int(seed), float(test), float(validation)

    def agrees_with(self, previous: Manifest) -> bool:
        """Return whether a data set was split by this rule."""
        return self.resolved(previous) == _rule_of(previous)


def split_entries(
    manifest: Manifest,
    entries: Sequence[Entry],
    previous: Manifest | None,
    given_by: SplitFile | None = None,
) -> list[Entry]:
    """Return the entries with their splits: those of a split file, of the folders, or random.

    Random splits follow the rule in `manifest`. Entries of a folder of a split keep that split.
    Without a validation folder, a part of train becomes validation. With one, but without a test
    folder, a part of validation becomes test, as in TensorFlow's tutorial.
    """
    if given_by:
        known = _moved(previous, given_by.splits_of(entries), given_by.file)
        return [replace(e, split=known.get(e.key)) if e.key else e for e in entries]
    remembered = _remembered(manifest, entries, previous)
    accepted = {e.key: e for e in entries if e.key and e.label and e.status == "accepted"}
    given = {key: entry.split for key, entry in accepted.items() if entry.split}
    if not given:
        splits = assign(
            {key: entry.label or "" for key, entry in accepted.items()},
            remembered,
            seed=manifest.split_seed,
            test_split=manifest.test_split,
            validation_split=manifest.validation_split,
        )
    elif "validation" not in given.values():
        learned_from = {k: e.label or "" for k, e in accepted.items() if given[k] == "train"}
        splits = given | assign(
            learned_from,
            {key: split for key, split in remembered.items() if split != "test"},
            seed=manifest.split_seed,
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
            seed=manifest.split_seed,
            test_split=manifest.test_split,
            validation_split=1.0,
        )
    known = remembered | splits
    return [replace(entry, split=known.get(entry.key)) if entry.key else entry for entry in entries]


def gone(previous: Manifest | None, entries: Sequence[Entry]) -> list[Entry]:
    """Return the entries of images that were removed, so that their splits are remembered.

    An image that is now turned upright, or is no longer, is the same one.
    """
    present = {entry.key for entry in entries if entry.key}
    either = present | {key.upright() for key in present} if previous else present
    lost = {
        entry.key: replace(entry, status="absent")
        for entry in (previous.entries if previous else ())
        if entry.key and entry.split and entry.key not in either
        if entry.key.upright() not in present
    }
    return list(lost.values())


def assign(
    labels: Mapping[ImageKey, str],
    remembered: Mapping[ImageKey, Split],
    *,
    seed: int,
    test_split: float,
    validation_split: float,
) -> dict[ImageKey, Split]:
    """Return the split of each distinct image.

    The test split is a fraction of all images, the validation split a fraction of the rest.
    Remembered splits are always kept. New images are sorted by seed and content. In this order they
    fill up the test split of their class, then its validation split; the rest is train.
    """
    splits = {key: remembered[key] for key in labels if key in remembered}
    left = _by_label(labels)  # the images of each class that are not in an earlier split
    new = {
        label: sorted((k for k in keys if k not in splits), key=lambda key: _draw(seed, key))
        for label, keys in left.items()
    }
    shares: dict[Split, float] = {"test": test_split, "validation": validation_split}
    for split, share in shares.items():
        classes = {
            label: _Class(
                images=len(keys),
                there=sum(splits.get(key) == split for key in keys),
                new=len(new[label]),
                draw=_draw(seed, new[label][0]) if new[label] else b"",
            )
            for label, keys in left.items()
        }
        for label, count in _dealt(classes, share).items():
            missing = count - classes[label].there
            splits |= dict.fromkeys(new[label][:missing], split)
            new[label] = new[label][missing:]
        left = {label: [k for k in keys if splits.get(k) != split] for label, keys in left.items()}
    return splits | {key: "train" for keys in new.values() for key in keys}


def majority_baseline(counts: Mapping[str, Mapping[str, int]]) -> tuple[str, float]:
    """Return the majority class of train, and the accuracy of this baseline on test.

    Without test images, it is the accuracy on all images. `counts` are images by class and split.
    """
    largest = max(counts, key=lambda name: counts[name]["train"])
    tested = {name: row["test"] for name, row in counts.items()}
    if not any(tested.values()):
        tested = {name: sum(row.values()) for name, row in counts.items()}
    return largest, tested[largest] / max(1, sum(tested.values()))


def _remembered(
    manifest: Manifest, entries: Sequence[Entry], previous: Manifest | None
) -> dict[ImageKey, Split]:
    """Return the splits that images had, by their content, or by path for an edited image."""
    if previous is None:
        return {}
    if _rule_of(previous) != _rule_of(manifest):
        log.warning("data set %r is split again: the seed or a fraction changed", manifest.name)
        return {}
    by_key = {e.key: e.split for e in previous.entries if e.key and e.split}
    by_path = {e.path: e.split for e in previous.entries if e.split and e.status != "absent"}
    by_path_of_key = {e.key: by_path[e.path] for e in entries if e.key and e.path in by_path}
    return by_path_of_key | by_key


def _moved(
    previous: Manifest | None, splits: Mapping[ImageKey, Split], file: Path
) -> dict[ImageKey, Split]:
    """Return all known splits by content; log a warning if a split file moves images."""
    had = {e.key: e.split for e in (previous.entries if previous else ()) if e.key and e.split}
    if moved := sum(had.get(key, split) != split for key, split in splits.items()):
        log.warning("%s moves %d images to another split", file, moved)
    return had | dict(splits)


def _rule_of(manifest: Manifest) -> tuple[int, float, float]:
    return manifest.split_seed, manifest.test_split, manifest.validation_split


@dataclass(frozen=True)
class _Class:
    """The images of a class that one split can have."""

    images: int
    there: int  # images that are in the split already
    new: int  # images that can be added
    draw: bytes  # breaks ties, by content

    def count(self, share: float) -> int:
        """Return the possible number of images that is nearest to the fraction."""
        return min(max(_rounded(self.images * share), self.there), self.most(share))

    def most(self, share: float) -> int:
        """Return the maximum number of images: one is left over, unless the fraction is 1."""
        left = 0 if share == 1 else 1
        return max(self.there, min(self.there + self.new, self.images - left))


def _dealt(classes: Mapping[str, _Class], share: float) -> dict[str, int]:
    """Return the number of images of each class in a split.

    Each class has the nearest whole number to its fraction. If the total differs from the fraction
    of all images by more than one, because many small classes are rounded the same way, the classes
    with the largest rounding errors get one image more, or less.
    """
    counts = {label: about.count(share) for label, about in classes.items()}
    over = sum(counts.values()) - share * sum(about.images for about in classes.values())
    if abs(over) <= 1 + _ROUNDING:
        return counts
    step = -1 if over > 0 else 1
    excess = {label: counts[label] - share * classes[label].images for label in classes}
    able = [
        label
        for label, about in classes.items()
        if step * excess[label] <= _ROUNDING
        and about.there <= counts[label] + step <= about.most(share)
    ]
    # Rounded, so that floating point errors do not decide between equal classes.
    able.sort(key=lambda label: (round(step * excess[label], 9), classes[label].draw))
    return counts | {label: counts[label] + step for label in able[: _rounded(abs(over))]}


def _by_label(labels: Mapping[ImageKey, str]) -> Mapping[str, list[ImageKey]]:
    groups: dict[str, list[ImageKey]] = defaultdict(list)
    for key, label in labels.items():
        groups[label].append(key)
    return groups


def _draw(seed: int, key: ImageKey) -> bytes:
    return hashlib.sha256(f"{seed}:{key}".encode()).digest()


def _rounded(number: float) -> int:
    # round() rounds a half to the even neighbour; here a half is always rounded up.
    return math.floor(number + 0.5)
