"""The journal: nothing is lost, whoever decides at once; what is damaged or newer is said."""

import json

import pytest

from stores.decisions.decided import decided, decided_in
from stores.decisions.journal import Decision, Journal, findings, take_over
from stores.errors import CorruptStore, NewerFormat

A, B = ("a" * 64,), ("b" * 64,)
KEY_A, KEY_B = bytes.fromhex(A[0]), bytes.fromhex(B[0])


@pytest.fixture
def journal(tmp_path):
    return Journal(tmp_path, "pets")


def file_of(tmp_path, entry):
    return tmp_path / "datasets" / "pets" / "decisions" / f"{entry.name}.json"


def test_two_reviewers_at_once_are_both_kept_and_the_last_decision_on_an_image_holds(tmp_path):
    mine, theirs = Journal(tmp_path, "pets"), Journal(tmp_path, "pets")
    mine.add(Decision("label", {"cat": A + B}, reviewer="me"))
    theirs.add(Decision("exclude", {"": B}, reviewer="you"))
    assert [entry.decision.reviewer for entry in mine.refresh()] == ["you"]
    assert decided(mine.entries).labels == {KEY_A: "cat", KEY_B: ""}
    assert decided_in(tmp_path, "pets") == decided(theirs.entries)


def test_an_entry_comes_after_those_that_were_there_whatever_the_clock_says(journal, tmp_path):
    first = journal.add(Decision("label", {"cat": A}))
    late = first.name.replace("-20", "-29", 1)
    assert Journal(tmp_path, "pets").add(Decision("label", {"dog": A})).name > late


def test_an_undoing_is_an_entry_and_can_be_undone(journal):
    first = journal.add(Decision("right", {"cat": A}))
    undo = journal.add(Decision("undo", undoes=first.name))
    assert decided(journal.entries).labels == {KEY_A: None}
    assert decided(journal.entries).right == set()
    journal.add(Decision("undo", undoes=undo.name))
    assert decided(journal.entries).labels == {KEY_A: "cat"}
    assert decided(journal.entries).right == {KEY_A}
    assert len(journal.entries) == 3


def test_what_was_before_the_first_decision_is_remembered_and_a_reset_forgets_all(journal):
    journal.add(Decision("label", {"cat": A}, labels_before={"dog": A}))
    journal.add(Decision("label", {"cow": A}, labels_before={"cat": A}))
    assert decided(journal.entries).labels_before == {KEY_A: "dog"}
    journal.add(Decision("table", {"pig": A}))
    assert decided(journal.entries).labels_before == {KEY_A: "pig"}
    journal.add(Decision("group", {"one": B}, groups_before={"old": A}))
    assert decided(journal.entries).groups == {KEY_A: None, KEY_B: "one"}
    journal.add(Decision("reset"))
    assert not decided(journal.entries)


def test_a_damaged_entry_a_moved_one_and_a_newer_one_are_said(journal, tmp_path):
    entry = journal.add(Decision("label", {"cat": A}))
    path = file_of(tmp_path, entry)
    whole = path.read_text()
    newer = json.loads(whole) | {"format": 2}
    for text, error in (
        (whole.replace("cat", "dog"), CorruptStore),
        (json.dumps(newer), NewerFormat),
    ):
        path.write_text(text)
        with pytest.raises(error, match=entry.name):
            decided_in(tmp_path, "pets")
    path.write_text(whole)
    path.rename(path.with_name(path.name.replace("00000001", "00000009")))
    assert len(list(findings(tmp_path, "pets"))) == 1


def test_another_store_takes_over_what_it_lacks(tmp_path):
    ours, theirs = Journal(tmp_path / "a", "pets"), Journal(tmp_path / "b", "pets")
    ours.add(Decision("label", {"cat": A}))
    theirs.add(Decision("label", {"dog": B}))
    assert take_over(tmp_path / "a", tmp_path / "b", "pets") == 1
    assert decided_in(tmp_path / "a", "pets").labels == {KEY_A: "cat", KEY_B: "dog"}
    assert take_over(tmp_path / "a", tmp_path / "b", "pets") == 0


def test_a_journal_at_an_address_is_one_too(tmp_path, monkeypatch):
    monkeypatch.setenv("GARGALO_CACHE", str(tmp_path / "cache"))
    address = f"memory://journal-{tmp_path.name}/store"
    entry = Journal(address, "pets").add(Decision("label", {"cat": A}))
    assert [one.name for one in Journal(address, "pets").refresh()] == [entry.name]


@pytest.mark.parametrize(
    "body",
    [
        {"action": "guess"},
        {"action": "undo", "undoes": "../../manifest"},
        {"action": "label", "images": {"cat": ("no key",)}},
        {"action": "label", "images": {"c" * 5000: A}},
    ],
)
def test_what_is_no_decision_is_refused(body):
    with pytest.raises(ValueError, match=r"no (decision|name|images)"):
        Decision(**body)
