"""Ratios between things timed in turn in one run: machines are noisy, their ratios less so."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Contender:
    """Something to time; `prepare` runs before each round and is not timed."""

    run: Callable[[], object]
    prepare: Callable[[], object] = lambda: None


@dataclass(frozen=True)
class Finding:
    """One figure: the median over the rounds, its spread, and what was expected of it."""

    group: str
    what: str
    values: tuple[float, ...]  # one a round
    unit: str  # "×" for a ratio
    expected: str = ""  # such as "≥ 2.3" or "0.5 to 2", or empty where nothing is promised
    remark: str = ""

    @property
    def middle(self) -> float:
        """The median."""
        return median(self.values)

    @property
    def holds(self) -> bool | None:
        """Whether the median is as expected; None where nothing is."""
        if not self.expected:
            return None
        if " to " in self.expected:
            low, high = map(float, self.expected.split(" to "))
            return low <= self.middle <= high
        relation, limit = self.expected.split()
        bound = float(limit.replace(",", ""))
        if relation == "=":
            return self.middle == bound
        return self.middle >= bound if relation == "≥" else self.middle <= bound


def in_turn(contenders: Mapping[str, Contender], *, rounds: int) -> dict[str, list[float]]:
    """Run each contender once a round and return the seconds that each took, round by round.

    Who goes first changes with the round, so that nobody always finds the caches cold.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    names = list(contenders)
    for number in range(rounds):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            contenders[name].prepare()
            began = time.perf_counter()
            contenders[name].run()
            seconds[name].append(time.perf_counter() - began)
    return seconds


def ratios(slower: list[float], quicker: list[float]) -> tuple[float, ...]:
    """Return, round by round, how many times the seconds of one the seconds of the other are."""
    return tuple(a / b for a, b in zip(slower, quicker, strict=True))
