"""Decisions of people come before tables, are undone to what was before, and cost no reading."""

import pytest

from stores.decisions.decided import Decided, decided_in
from stores.decisions.journal import Decision, Journal
from stores.manifest import Manifest
from tasks.datasets.corrections import NO_CORRECTIONS
from tasks.datasets.decided_rows import groups_before, labels_before
from tasks.datasets.ingest import ingest
from tasks.datasets.label_table import LabelRule
from tests.support.images import write_classes
from tests.support.ingested import by_path

FIRST, SECOND = "cat/000.png", "cat/001.png"


@pytest.fixture
def folder(tmp_path):
    return write_classes(tmp_path / "pets")


@pytest.fixture
def again(folder, store, tmp_path):
    """Ingest, with a table of corrections if there is one; return the rows by path."""

    def again(table=None, **rule):
        if table is not None and table != NO_CORRECTIONS:
            (tmp_path / "c.csv").write_text(table)
            table = tmp_path / "c.csv"
        done = ingest(folder, store=store, labels=LabelRule(corrections=table, **rule))
        return done, by_path(done.manifest)

    return again


@pytest.fixture
def decide(store):
    """Add a decision on images to the journal, as a review does."""

    def decide(action, name, *paths, **others):
        manifest, journal = Manifest.read(store, "pets"), Journal(store, "pets")
        known = decided_in(store, "pets")
        keys = [by_path(manifest)[path].key for path in paths]
        before = {"labels_before": labels_before(manifest, keys, known)}
        if action == "group":
            before = {"groups_before": groups_before(manifest, keys, known)}
        images = {name: tuple(key.hex() for key in keys)} if keys else {}
        return journal.add(Decision(action, images, **before, **others))

    return decide


def undo(store, entry):
    Journal(store, "pets").add(Decision("undo", undoes=entry.name))


def test_decisions_are_corrections_of_the_next_ingest_which_reads_nothing(again, decide, store):
    _, before = again()
    decide("label", "dog", FIRST)
    excluded = decide("exclude", "", SECOND)
    done, rows = again()
    assert done.read == 0
    assert (rows[FIRST].label, rows[FIRST].given_label) == ("dog", "cat")
    assert rows[SECOND].status == "excluded"
    assert again()[0].manifest == done.manifest
    undo(store, excluded)
    assert again()[1][SECOND] == before[SECOND]


def test_a_label_that_is_no_class_yet_becomes_one_and_is_none_without_its_image(
    again, decide, store
):
    again()
    entry = decide("label", "ant", FIRST)
    done, rows = again()
    assert done.manifest.classes == ("ant", "cat", "dog")
    assert rows[FIRST].label == "ant"
    assert again()[0].manifest == done.manifest
    assert again("path,label\ncat/002.png,ant\n")[1]["cat/002.png"].label == "ant"
    undo(store, entry)
    again(NO_CORRECTIONS)
    assert again()[0].manifest.classes == ("cat", "dog")


def test_a_decision_comes_before_a_table_which_holds_again_once_it_is_undone(again, decide, store):
    table = f"path,label\n{FIRST},dog\n{SECOND},dog\n"
    again()
    again(table)
    entry = decide("right", "cat", FIRST)
    _, rows = again()
    assert (rows[FIRST].label, rows[SECOND].label) == ("cat", "dog")
    _, rows = again(table)
    assert (rows[FIRST].label, rows[SECOND].label) == ("cat", "dog")
    _, rows = again(f"path,label\n{FIRST},exclude\n")
    assert (rows[FIRST].status, rows[SECOND].label) == ("accepted", "cat")
    undo(store, entry)
    assert again()[1][FIRST].status == "excluded"


def test_none_undoes_all_decisions(again, decide, store):
    _, before = again()
    decide("label", "dog", FIRST)
    decide("group", "twins", FIRST, SECOND)
    again()
    done, rows = again(NO_CORRECTIONS)
    assert (rows, done.read) == (before, 0)
    assert again()[1] == before
    assert decided_in(store, "pets") == Decided()


def test_images_of_a_group_are_in_one_split_and_groups_of_a_table_are_joined_until_it_is_undone(
    again, decide, store, tmp_path
):
    labels = "".join(f"{path},g{path[:3]}{path[-5]}\n" for path in again()[1])
    (tmp_path / "labels.csv").write_text(f"path,group\n{labels}")
    _, before = again(file=tmp_path / "labels.csv")
    entry = decide("group", "twins", FIRST, SECOND)
    done, rows = again()
    assert rows[FIRST].group == rows[SECOND].group == before[FIRST].group
    assert (
        len({rows[path].split for path in (FIRST, SECOND) if rows[path].status == "accepted"}) == 1
    )
    assert again()[0].manifest == done.manifest
    undo(store, entry)
    assert {path: row.group for path, row in again()[1].items()} == {
        path: row.group for path, row in before.items()
    }
