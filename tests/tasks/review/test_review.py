"""What is shown of images under review, in which order, and what is decided on them."""

from dataclasses import replace

import numpy as np
import pytest

from stores.decisions.decided import Decided, decided
from stores.decisions.journal import Entry
from tasks.errors import InputError
from tasks.review.columns import Facts, columns
from tasks.review.decide import Question, decision, undoing
from tasks.review.export import corrections_csv
from tasks.review.features import map_of, similar
from tasks.review.images import labels_of, reviewed
from tasks.review.query import Query, found
from tests.tasks.review.conftest import WRONG, predictions_of

NAME = "{:08}-20260101T000000000000-00000000"


def number(images, path):
    return images.rows["path"].to_pylist().index(path)


def shown(images, now=None, near=None, novelty=None, **query):
    now = now or Decided()
    facts = Facts(images, labels_of(images, now), now, near, novelty)
    result = found(Query(**query), columns(facts), images.rows["path"])
    return images.rows["path"].take(result.order).to_pylist(), result.confusion


def decide(images, asked, *paths, value="", before=(), **others):
    """Return the entries with one more decision."""
    now = decided(before)
    made = decision(
        asked,
        [number(images, path) for path in paths],
        value,
        images=images,
        labels=labels_of(images, now),
        decided=now,
        reviewer="me",
        **others,
    )
    return made if isinstance(made, Question) else [*before, Entry(NAME.format(len(before)), made)]


def test_a_cell_of_the_confusion_matrix_shows_its_images_and_the_matrix_stays(images):
    every, whole = shown(images)
    cell, same = shown(images, chosen={"label": ("cats",), "predicted": ("dogs",)})
    assert (len(every), cell) == (20, [WRONG])
    assert whole.counts.tolist() == same.counts.tolist() == [[1, 1], [0, 2]]


def test_neither_learned_images_nor_an_unopened_test_have_predictions(pets, head, images):
    """The kind: a head knows the labels that it learned, and the test split is looked at once."""
    guessed = images.judged[0].predicted >= 0
    assert set(images.rows["split"].filter(guessed).to_pylist()) == {"validation"}
    of_folds = reviewed(pets, ((replace(head, folds=5), predictions_of(pets)),))
    assert (of_folds.judged[0].predicted >= 0).sum() == 16
    opened = predictions_of(pets, splits=("train", "validation", "test"))
    assert (reviewed(pets, ((head, opened),)).judged[0].predicted >= 0).sum() == 8


def test_images_come_by_any_column_and_those_without_a_value_last(images):
    paths, _ = shown(images, sort="margin", descending=True)
    assert paths[0] == WRONG
    assert paths[1:] == sorted(set(paths) - {WRONG})
    assert shown(images, sort="probability")[0][-1] == "dogs/9"  # of test: without a prediction
    assert shown(images, text="TS/1")[0] == ["cats/1"]
    assert shown(images, sort="path", descending=True)[0][0] == "dogs/9"
    near = np.full(20, -1)
    near[3] = 0
    assert len(shown(images, near=near, chosen={"near": ("has some",)})[0]) == 1
    novelty = np.linspace(1, 0.005, 20)
    assert shown(images, novelty=novelty, sort="novelty")[0][0] == "dogs/9"
    unlike = {"unlike": ("p-value of 0.01 or less",)}
    assert shown(images, novelty=novelty, chosen=unlike)[0] == ["dogs/9"]


@pytest.mark.parametrize(
    "query", [{"sort": "size"}, {"chosen": {"size": ("1",)}}, {"chosen": {"label": ("cow",)}}]
)
def test_what_there_is_not_is_one_line(images, query):
    with pytest.raises(InputError, match="unknown"):
        shown(images, **query)


def test_where_heads_differ_can_be_shown(pets, head):
    two = ((head, predictions_of(pets)), (head, predictions_of(pets, wrong="dogs/6")))
    differ, _ = shown(reviewed(pets, two), chosen={"heads": ("differ",)})
    assert differ == [WRONG, "dogs/6"]


@pytest.mark.parametrize(("asked", "value"), [("right", ""), ("label", "dogs"), ("exclude", "")])
def test_a_decided_label_is_no_suspect_any_more_until_it_is_undone(images, asked, value):
    entries = decide(images, asked, WRONG, value=value)
    suspect = {"chosen": {"suspect": ("likely", "possible")}}
    assert shown(images, **suspect)[0] == [WRONG]
    assert shown(images, decided(entries), **suspect)[0] == []
    entries.append(Entry(NAME.format(9), undoing(entries, "me")))
    assert shown(images, decided(entries), **suspect)[0] == [WRONG]
    with pytest.raises(InputError, match="nothing to undo"):
        undoing(entries, "me")
    with pytest.raises(InputError, match="nothing to undo"):
        undoing(entries[:1], "somebody else")


def test_a_label_that_is_no_class_yet_is_asked_about(images):
    question = decide(images, "label", WRONG, value="dog")
    assert "'dog' is no class yet" in question.text
    assert "did you mean dogs" in question.text
    entries = decide(images, "label", WRONG, value="dog", confirmed=True)
    assert shown(images, decided(entries), chosen={"label": ("dog",)})[0] == [WRONG]


@pytest.mark.parametrize(
    ("path", "value"),
    [((), "dogs"), ((WRONG,), " "), ((WRONG,), "two\nlines"), ((WRONG,), "x" * 5000)],
)
def test_what_cannot_be_decided_is_one_line(images, path, value):
    with pytest.raises(InputError, match="expected"):
        decide(images, "label", *path, value=value, confirmed=True)


def test_a_decision_is_one_entry_however_many_images_and_is_exported(images):
    every = images.rows["path"].to_pylist()
    entries = decide(images, "right", *every)
    assert {name: len(keys) for name, keys in entries[0].decision.images.items()} == {
        "cats": 10,
        "dogs": 10,
    }
    entries = decide(images, "exclude", "cats/0", before=entries)
    entries = decide(images, "label", "cats/1", value="dogs", before=entries)
    table = corrections_csv(images, decided(entries)).decode().splitlines()
    assert table[:4] == [
        "path,label,exclude",
        "cats/0,cats,true",
        "cats/1,dogs,false",
        "cats/2,cats,false",
    ]


def test_images_in_one_group_can_be_shown(images):
    entries = decide(images, "group", "cats/0", "dogs/0", value="pair")
    assert shown(images, decided(entries), chosen={"group": ("pair",)})[0] == ["cats/0", "dogs/0"]


def test_similar_images_begin_with_the_one_itself_and_maps_lie_within_one():
    rows = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    rows[7] = rows[3] * 2
    assert similar(rows, 3, most=5).tolist()[:2] == [3, 7]
    assert len(similar(rows[:2], 0)) == 2
    for some in (rows, rows[:1], np.zeros((60, 3), np.float32)):
        points = map_of(some, "PCA")
        assert points.shape == (len(some), 2)
        assert ((points >= 0) & (points <= 1)).all()
