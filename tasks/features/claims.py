"""Which images have features, or are about to: so that none is computed twice in one command.

Images are known by the first eight bytes of their keys. Where a forger makes two that share these,
one of the two is left out here; the search by whole keys that follows finds and computes it.
"""

import threading
from enum import IntEnum
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from stores.features.store import FeatureStore
from stores.keys import Keys, first_words
from tasks.features.engines import Job

Words = NDArray[np.uint64]  # (n,)
_RECENT = 2**14


class Claim(IntEnum):
    """What becomes of an image."""

    OURS = 0  # to be computed, by who asks
    STORED = 1  # it had a feature of one of the recipes when the command began
    TAKEN = 2  # another file with the same bytes is being computed


class Claims:
    """The images that have features, and those that somebody in this process computes."""

    def __init__(self, stored: Words) -> None:
        self._stored = np.sort(stored)
        self._taken = self._recent = np.empty(0, np.uint64)  # sorted, and not yet among these
        self._lock = threading.Lock()

    def claim(self, keys: Keys) -> NDArray[np.int8]:
        """Return the Claim on each of some images, (n,); what is OURS is taken from now on."""
        words = first_words(keys)
        claims = np.full(len(words), Claim.TAKEN, np.int8)
        with self._lock:
            new = ~_among(words, self._taken) & ~_among(words, self._recent)
            _, first = np.unique(words, return_index=True)
            ours = first[new[first]]
            claims[ours] = Claim.OURS
            stored = _among(words, self._stored)
            claims[stored] = Claim.STORED
            self._recent = np.union1d(self._recent, words[claims == Claim.OURS])
            if len(self._recent) > _RECENT:
                self._taken = _joined(self._taken, self._recent)
                self._recent = self._recent[:0]
        return claims

    def give_up(self, keys: Keys) -> None:
        """Have images computed by whoever asks next."""
        with self._lock:
            words = first_words(keys)
            self._taken = np.setdiff1d(self._taken, words)
            self._recent = np.setdiff1d(self._recent, words)


_making = threading.Lock()


def claims_on(job: Job, command: str) -> Claims:
    """Return the claims of this process, for one command: at first those on what is stored."""
    with _making:
        return _claims(job, command)


@lru_cache(maxsize=1)
def _claims(job: Job, command: str) -> Claims:  # noqa: ARG001  another command, other claims
    stored = [FeatureStore(job.store, recipe).keys() for recipe in job.recipes]
    return Claims(np.concatenate([first_words(keys) for keys in stored]))


def _among(words: Words, sorted_words: Words) -> NDArray[np.bool_]:
    if not len(sorted_words):
        return np.zeros(len(words), np.bool_)
    places = np.searchsorted(sorted_words, words)
    return np.asarray(sorted_words[np.minimum(places, len(sorted_words) - 1)] == words)


def _joined(some: Words, others: Words) -> Words:
    return np.sort(np.concatenate([some, others]), kind="stable")  # two runs in order are merged
