import builtins

import pytest

from tasks.errors import InputError
from tasks.training.sweep.search import AllTrials, GuidedSearch, search_of
from tasks.training.sweep.space import Range, Sweep

SPACE = {
    "features": {"tap": ["a", "b"]},
    "heads": [
        ("ridge", {"penalty": Range(low=0.01, high=1e4)}),
        ("dense", {"hidden_units": [[], [8]], "seed": [0, 1]}),
    ],
}


def sought(space, accuracy):
    search, found = search_of(space), []
    while trials := search.ask():
        found += trials
        search.tell([accuracy(trial) for trial in trials])
    return found


def nearer_to_ten(trial):
    return 1 / (1 + abs(trial.settings.get("penalty", 1e4) - 10)) + (trial.features["tap"] == "b")


def test_all_trials_are_asked_for_at_once():
    space = Sweep({}, [("ridge", {"penalty": [1.0, 2.0]})])
    search = search_of(space)
    assert isinstance(search, AllTrials)
    assert search.ask() == list(space)
    assert search.ask() == []


def test_a_guided_search_goes_where_it_did_well():
    found = sought(Sweep(**SPACE, trials=100, guided=True), nearer_to_ten)
    assert len(found) == 100
    late = found[60:]
    assert sum(trial.features["tap"] == "b" for trial in late) > 30
    assert sum(trial.kind == "ridge" for trial in late) > 25


def test_a_guided_search_repeats_itself_and_more_trials_begin_with_the_same():
    first, again = (sought(Sweep(**SPACE, trials=40, guided=True), nearer_to_ten) for _ in "12")
    assert first == again
    assert sought(Sweep(**SPACE, trials=32, guided=True), nearer_to_ten) == first[:32]
    assert sought(Sweep(**SPACE, trials=40, search_seed=1, guided=True), nearer_to_ten) != first


def test_trials_that_fail_do_not_end_a_guided_search():
    assert len(sought(Sweep(**SPACE, trials=20, guided=True), lambda _: None)) == 20


def test_a_guided_search_without_a_number_of_trials_is_refused():
    with pytest.raises(InputError, match="give --trials"):
        GuidedSearch(Sweep(**SPACE, guided=True))


def test_without_optuna_the_fix_is_said(monkeypatch):
    imported = builtins.__import__

    def without(name, *rest, **more):
        if name == "optuna":
            raise ImportError(name)
        return imported(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InputError, match=r"pip install 'gargalo\[search\]'"):
        search_of(Sweep(**SPACE, trials=2, guided=True))
