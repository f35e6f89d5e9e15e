"""What the name of a folder means: a split, a fold, images without labels, or nothing of these."""

import re
from typing import Literal

Meaning = Literal["train", "validation", "test", "fold", "evaluation", "unlabelled"]

_WORDS: dict[str, Meaning] = {
    **dict.fromkeys(["train", "training", "trn"], "train"),
    **dict.fromkeys(["val", "valid", "validation", "validate", "dev"], "validation"),
    **dict.fromkeys(["test", "testing", "tst", "holdout"], "test"),
    **dict.fromkeys(["fold", "folds", "kfold", "cv"], "fold"),
    # Of validation to some, of test to others.
    **dict.fromkeys(["eval", "evaluation", "evaluate"], "evaluation"),
    **dict.fromkeys(["pred", "predict", "prediction", "predictions", "inference"], "unlabelled"),
    **dict.fromkeys(["unlabelled", "unlabeled", "submission"], "unlabelled"),
}
# What may stand beside such a word in the name of a folder: seg_train, TEST_SIMPLE, training_set.
_FILLERS = {"set", "data", "dataset", "image", "images", "img", "imgs", "seg", "simple", "split"}
_FILLERS |= {"splits", "folder", "sample", "samples", "part", "full", "final", "a", "b"}
# "trainA2" is train, A, 2; "TRAINset" and "trainset" are taken apart by the ending.
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W\d_a-zA-Z]+")
_ENDING = re.compile(r"(?<=[a-z])(set|data|images)$")


def meaning_of(name: str, *, loosely: bool = False) -> Meaning | None:
    """Return what a folder's name means: one such word, and beside it numbers and fillers alone.

    `loosely`, which wants other evidence, any words may stand beside it: catdog_train.
    """
    parts = [part.lower() for part in _PARTS.findall(name)]
    words = [word for part in parts for word in _ENDING.sub(r" \1", part).split()]
    found = {_WORDS[word] for word in words if word in _WORDS}
    others = [w for w in words if w not in _WORDS and w not in _FILLERS and not w.isdigit()]
    return found.pop() if len(found) == 1 and (loosely or not others) else None


def is_filler(name: str) -> bool:
    """Tell whether a folder's name says nothing of what is in it: images, data."""
    return name.lower() in _FILLERS
