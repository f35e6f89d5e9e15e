"""How much is tried: a seeded share by default, everything with GARGALO_FAULTS=full."""

import os

import numpy as np
import pytest

FULL = os.environ.get("GARGALO_FAULTS") == "full"


@pytest.fixture
def some_of():
    """Return a function that picks `count` of the candidates by a seed, or all in a full run."""

    def pick(candidates, count):
        candidates = list(candidates)
        if FULL or count >= len(candidates):
            return candidates
        chosen = np.random.default_rng(0).choice(len(candidates), count, replace=False)
        return [candidates[number] for number in sorted(chosen)]

    return pick
