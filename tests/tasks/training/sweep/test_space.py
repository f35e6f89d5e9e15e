import os
import tracemalloc
from collections import Counter

import pytest

from tasks.errors import InputError
from tasks.training.sweep.space import Range, Sweep, WholeRange, sweep_of
from tasks.training.sweep.toml_file import read_sweep

FEATURES = ("tap", "pooling", "image_size")


def read(tmp_path, text, **search):
    (tmp_path / "sweep.toml").write_text(text)
    return read_sweep(tmp_path / "sweep.toml", features=FEATURES, **search)


def test_a_grid_is_each_of_the_features_with_each_of_the_heads(tmp_path):
    trials = list(
        read(
            tmp_path,
            """
            folds = 3
            [features]
            tap = ["a", "b"]
            [[head]]
            kind = "dense"
            learning_rate = [1e-3, 1e-2]
            seed = [0, 1]
            [[head]]
            kind = "centroid"
            """,
        )
    )
    assert Counter((t.kind, t.features["tap"]) for t in trials) == {
        ("dense", "a"): 4, ("dense", "b"): 4, ("centroid", "a"): 1, ("centroid", "b"): 1,
    }  # fmt: skip
    assert {(t.settings["learning_rate"], t.head_seed) for t in trials if t.kind == "dense"} == {
        (1e-3, 0), (1e-3, 1), (1e-2, 0), (1e-2, 1),
    }  # fmt: skip
    assert {t.head_seed for t in trials if t.kind == "centroid"} == {None}


def test_a_list_of_layers_is_one_value_and_a_list_of_lists_are_several(tmp_path):
    one, several = (
        list(read(tmp_path, f'[[head]]\nkind = "dense"\nhidden_units = {units}'))
        for units in ("[64, 32]", "[[64, 32], [8]]")
    )
    assert [trial.settings["hidden_units"] for trial in one] == [[64, 32]]
    assert [trial.settings["hidden_units"] for trial in several] == [[64, 32], [8]]


def test_a_range_is_evenly_spaced_on_its_scale():
    assert Range(low=0.1, high=1000, count=5).grid() == [0.1, 1.0, 10.0, 100.0, 1000.0]
    assert Range(low=0, high=1, count=3, scale="linear").grid() == [0.0, 0.5, 1.0]


def test_more_trials_begin_with_those_of_fewer():
    space = ({"tap": ["a", "b", "c"]}, [("ridge", {"penalty": Range(low=0.1, high=10)})])
    few, more = (list(Sweep(*space, trials=count, search_seed=4)) for count in (5, 9))
    assert more[:5] == few
    assert len({trial.settings["penalty"] for trial in more}) == 9
    assert all(0.1 <= trial.settings["penalty"] <= 10 for trial in more)
    assert list(Sweep(*space, trials=5, search_seed=5)) != few


def test_flags_take_the_place_of_what_the_file_says_of_the_search(tmp_path):
    text = 'folds = 3\n[search]\ntrials = 2\n[[head]]\nkind = "centroid"'
    assert (read(tmp_path, text).folds, len(list(read(tmp_path, text)))) == (3, 2)
    assert read(tmp_path, text, folds=5).folds == 5
    assert len(list(read(tmp_path, text, trials=7))) == 7


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ('[[head]]\nkind = "dense"\nlearning_rat = 1', "setting of head dense 'learning_rat': did "
         "you mean learning_rate"),
        ('[[head]]\nkind = "dens"', "unknown kind of .*'dens': did you mean dense"),
        ("[[head]]\npenalty = 1", "without a kind; add kind = one of centroid, dense"),
        ('fold = 3\n[[head]]\nkind = "knn"', "unknown key 'fold': did you mean folds"),
        ('[search]\ntrial = 3\n[[head]]\nkind = "knn"', "unknown key 'trial': did you mean trials"),
        ('[features]\ntaps = "x"\n[[head]]\nkind = "knn"', r"'taps': did you mean tap"),
        ('folds = 1\n[[head]]\nkind = "knn"', "folds: .*expected 0, or 2 to 100 folds. Rec"),
        ('[[head]]\nkind = "ridge"\npenalty = {low = 1, hgh = 2}', "head ridge: penalty: .*hgh"),
        ('[[head]]\nkind = "ridge"\npenalty = {low = 2, high = 1}', "expected low < high"),
        ('[[head]]\nkind = "ridge"\npenalty = {low = 0, high = 1}', "low > 0 on a log scale"),
        ('[[head]]\nkind = "ridge"\npenalty = []', "penalty: an empty list"),
        ("folds = 3", r"\[\[head\]\], in double"),
        ('[head]\nkind = "ridge"', r"\[\[head\]\], in double"),
        ('[[head]]\nkind = "dense"\nepochs = true', "epochs: expected a number. Received: True"),
        ('[[head]]\nkind = "dense"\nepochs = [5, 1.5]', "epochs: .* fractional part"),
        ('[[head]]\nkind = "dense"\nhidden_units = 64', "hidden_units: expected a list"),
        ('[[head]]\nkind = "dense"\ndropout = {low = 0.1, high = 2}', "dropout: .* less than 1"),
        ('[[head]]\nkind = "dense"\nl2 = {low = nan, high = 2}', "l2: low: .* finite"),
        ('[[head]]\nkind = "dense"\nseed = -1', "seed: expected 0 to"),
        ('[[head]]\nkind = "dense"\nseed = 99999999999999999999', "seed: expected 0 to"),
        ('[[head]]\nkind = "dense"\nseed = 1.5', "seed: expected 0 to"),
        ('[[head]]\nkind = "dense"\nseed = true', "seed: expected 0 to"),
        ("folds = ", "not valid TOML"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_file_is_named_with_the_fix(tmp_path, text, match):
    with pytest.raises(InputError, match=match) as error:
        read(tmp_path, text)
    assert str(tmp_path / "sweep.toml") in str(error.value)


def test_a_file_that_is_not_there_is_said(tmp_path):
    with pytest.raises(InputError, match="file not found"):
        read_sweep(tmp_path / "none.toml", features=FEATURES)


def test_a_grid_goes_to_the_heads_and_features_that_take_it():
    grid = {"learning_rate": [1e-3, 1e-2], "penalty": [1.0], "tap": ["a", "b"], "seed": [0, 1]}
    trials = list(sweep_of(["dense", "ridge"], grid, features=FEATURES))
    assert Counter(trial.kind for trial in trials) == {"dense": 8, "ridge": 4}
    assert all(set(t.settings) == {"penalty"} for t in trials if t.kind == "ridge")
    assert all(set(t.features) == {"tap"} for t in trials)


@pytest.mark.parametrize(
    ("heads", "grid", "match"),
    [
        (["dense"], {"penalty": [1]}, "unknown setting 'penalty'"),
        (["dense"], {"droput": [1]}, "did you mean dropout"),
        (["tutorial"], {}, "--head tutorial: a preset has no settings to try"),
    ],
)
def test_a_grid_that_nobody_takes_is_refused(heads, grid, match):
    with pytest.raises(InputError, match=match):
        sweep_of(heads, grid, features=FEATURES)


@pytest.mark.parametrize(
    ("head", "match"),
    [
        ('kind = "svm"', "sweep.toml: head svm: cannot learn a number; expected one of dense, knn"),
        ('kind = "dense"\nlabel_smoothing = [0.1]', "label_smoothing is for classes and labels"),
    ],
)
def test_what_cannot_learn_the_target_is_refused_with_the_file(tmp_path, head, match):
    with pytest.raises(InputError, match=match):
        read(tmp_path, f"[[head]]\n{head}", target="number")


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(InputError, match="a folder, expected a regular file"):
        read_sweep(tmp_path, features=FEATURES)


def test_a_file_without_an_end_is_not_waited_for(tmp_path):
    """The kind: a file that a user names is opened by a door of its own."""
    os.mkfifo(tmp_path / "pipe.toml")
    with pytest.raises(InputError, match="a pipe, expected a regular file"):
        read_sweep(tmp_path / "pipe.toml", features=FEATURES)
    (tmp_path / "large.toml").touch()
    os.truncate(tmp_path / "large.toml", 2**40)
    with pytest.raises(InputError, match="expected at most"):
        read_sweep(tmp_path / "large.toml", features=FEATURES)


def test_more_trials_than_can_be_held_are_refused_before_any_is_made(tmp_path):
    values = ", ".join(f"{n}e-3" for n in range(1, 101))
    names = ("learning_rate", "l2", "dropout", "label_smoothing")
    axes = "\n".join(f"{name} = [{values}]" for name in names)
    seeds = "seed = {low = 0, high = 4294967295, count = 1000, scale = 'linear'}"
    text = f'[[head]]\nkind = "dense"\n{axes}\n{seeds}'
    tracemalloc.start()
    with pytest.raises(InputError, match=r"sweep.toml: a sweep of [\d,]{9,} trials, expected at m"):
        read(tmp_path, text)
    assert tracemalloc.get_traced_memory()[1] < 2**26
    tracemalloc.stop()
    assert read(tmp_path, text, trials=5).size == len(list(read(tmp_path, text, trials=5))) == 5
    with pytest.raises(InputError, match="a sweep of 1,000,000 trials"):
        read(tmp_path, text, trials=10**6)


def test_trials_are_counted_as_they_are_made():
    ranges = {"seed": WholeRange(low=0, high=3, count=10, scale="linear")}
    space = Sweep({"tap": ["a", "b"]}, [("knn", ranges), ("ridge", {"penalty": [1, 2, 3]})])
    assert space.size == len(list(space)) == 2 * (4 + 3)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("a = " + "[" * 5000, "not valid TOML"),
        ("#" * 2**21, "expected at most"),
        (
            '[[head]]\nkind = "dense"\nepochs = ' + "9" * 5000,
            "TOML: Exceeds .* 5000 digits$",
        ),
        ('[[head]]\nkind = "dense"\nepochs = {low = 1, high = 1' + "0" * 400 + "}", "high"),
    ],
)
def test_a_bomb_of_a_sweep_file_is_refused(tmp_path, text, match):
    with pytest.raises(InputError, match=match):
        read(tmp_path, text)
