"""Of images with the same bytes one is computed, whoever asks and in whatever batches."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from stores.keys import ImageKey, as_keys, first_words
from tasks.features import claims as module
from tasks.features.claims import Claim, Claims

NOTHING = np.empty(0, np.uint64)


def keys_of(*numbers):
    return as_keys(ImageKey.of(str(number).encode()) for number in numbers)


def test_the_first_of_each_is_ours_and_what_is_stored_is_nobodys():
    claims = Claims(first_words(keys_of(7, 8)))
    assert claims.claim(keys_of(1, 2, 1, 7)).tolist() == [0, 0, Claim.TAKEN, Claim.STORED]
    assert claims.claim(keys_of(2, 3, 8)).tolist() == [Claim.TAKEN, Claim.OURS, Claim.STORED]
    assert claims.claim(keys_of()).tolist() == []


@pytest.mark.parametrize("recent", [0, 5, 10**6])
def test_many_threads_compute_each_image_once(monkeypatch, recent):
    monkeypatch.setattr(module, "_RECENT", recent)
    claims, random = Claims(NOTHING), np.random.default_rng(0)
    batches = [random.integers(0, 200, 16).tolist() for _ in range(60)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda numbers: claims.claim(keys_of(*numbers)).tolist(), batches))
    ours = Counter(
        number
        for numbers, made in zip(batches, found, strict=True)
        for number, claim in zip(numbers, made, strict=True)
        if claim == Claim.OURS
    )
    assert ours == dict.fromkeys({number for numbers in batches for number in numbers}, 1)


@pytest.mark.parametrize("recent", [0, 10**6])
def test_what_is_given_up_is_taken_by_the_next(monkeypatch, recent):
    monkeypatch.setattr(module, "_RECENT", recent)
    claims = Claims(NOTHING)
    claims.claim(keys_of(1, 2, 3))
    claims.give_up(keys_of(2))
    assert claims.claim(keys_of(1, 2, 3)).tolist() == [Claim.TAKEN, Claim.OURS, Claim.TAKEN]
