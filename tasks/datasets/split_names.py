"""The meaning of folder names: a split, a fold, unlabelled images, or none of these."""

import re
from collections.abc import Sequence
from typing import Literal

Meaning = Literal["train", "validation", "test", "fold", "evaluation", "unlabelled"]

_WORDS: dict[str, Meaning] = {
    **dict.fromkeys(["train", "training", "trn"], "train"),
    **dict.fromkeys(["val", "valid", "validation", "validate", "dev"], "validation"),
    **dict.fromkeys(["test", "testing", "tst", "holdout"], "test"),
    **dict.fromkeys(["fold", "folds", "kfold", "cv"], "fold"),
    # Validation for some users, test for others.
    **dict.fromkeys(["eval", "evaluation", "evaluate"], "evaluation"),
    **dict.fromkeys(["pred", "predict", "prediction", "predictions", "inference"], "unlabelled"),
    **dict.fromkeys(["unlabelled", "unlabeled", "submission"], "unlabelled"),
}
# Prefixes of split names in other languages, for suggestions in messages.
_BEGINNINGS: dict[str, Meaning] = {
    **dict.fromkeys(["train", "trein", "tren", "entren", "entra", "addestra"], "train"),
    **dict.fromkeys(["allena", "lern", "apprent", "учеб", "обуч", "трен"], "train"),
    **dict.fromkeys(["训练", "訓練", "学习", "学習", "훈련", "학습"], "train"),
    **dict.fromkeys(["val", "вал", "验证", "驗證", "検証", "검증"], "validation"),
    **dict.fromkeys(["test", "prueba", "prova", "prüf", "tést", "тест", "провер"], "test"),
    **dict.fromkeys(["测试", "測試", "テスト", "시험", "테스트"], "test"),
}
# Words that do not change the meaning of a name: seg_train, TEST_SIMPLE, training_set.
_FILLERS = {"set", "data", "dataset", "image", "images", "img", "imgs", "seg", "simple", "split"}
_FILLERS |= {"single", "splits", "folder", "sample", "samples", "part", "full", "final", "a", "b"}
# "trainA2" is train, A, 2; "TRAINset" and "trainset" are split by the ending.
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W\d_a-zA-Z]+")
_ENDING = re.compile(r"(?<=[a-z])(set|data|images)$")


def meaning_of(name: str, *, loosely: bool = False) -> Meaning | None:
    """Return the meaning of a folder's name: one known word, with numbers and fillers only.

    `loosely`: with any other words, such as catdog_train. This is not reliable by itself.
    """
    found = {_WORDS[word] for word in _words(name) if word in _WORDS}
    return found.pop() if len(found) == 1 and (loosely or not _others(name)) else None


def likely_meaning(name: str) -> Meaning | None:
    """Return the likely meaning of a name in several languages: Trainieren, conjunto_de_prueba."""
    if found := meaning_of(name, loosely=True):
        return found
    words = re.findall(r"[^\W\d_]+", name.casefold())
    meant = {
        meaning
        for word in words
        for beginning, meaning in _BEGINNINGS.items()
        if word.startswith(beginning)
    }
    return meant.pop() if len(meant) == 1 else None


def meanings(names: Sequence[str]) -> dict[str, Meaning]:
    """Return the meanings of the names of sibling folders, without those of no known meaning.

    Other words are allowed if all names have the same ones: asl_alphabet_train, asl_alphabet_test.
    """
    loosely = {name: found for name in names if (found := meaning_of(name, loosely=True))}
    differ_in_that_alone = len({tuple(_others(name)) for name in names}) == 1
    if len(loosely) == len(names) and differ_in_that_alone and len(set(loosely.values())) > 1:
        return loosely
    return {name: found for name in names if (found := meaning_of(name))}


def _words(name: str) -> list[str]:
    parts = [part.lower() for part in _PARTS.findall(name)]
    return [word for part in parts for word in _ENDING.sub(r" \1", part).split()]


def _others(name: str) -> list[str]:
    """Return the words of a name that are neither known, nor fillers, nor numbers."""
    known = _WORDS.keys() | _FILLERS
    return [word for word in _words(name) if word not in known and not word.isdigit()]


def is_filler(name: str) -> bool:
    """Return whether a folder's name has no meaning: images, data."""
    return name.lower() in _FILLERS
