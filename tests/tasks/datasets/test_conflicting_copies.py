"""The same bytes said to be two things are reported and kept out."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tasks.datasets.conflicting_copies import leave_out_contradictions
from tests.support.entries import as_entries, entry, rows_of

SPLITS = [None, "train", "validation", "test"]


def what_is_left(entries):
    return as_entries(leave_out_contradictions(rows_of(entries)))


def outcome(*entries):
    return {e.path: (e.status, e.reason) for e in what_is_left(entries)}


def test_the_same_bytes_under_two_labels_are_kept_out_both():
    told = outcome(entry("cat/1", "same"), entry("dog/2", "same"), entry("dog/3"))
    assert told == {
        "cat/1": ("conflicting", "the same bytes as 'dog/2', under another label"),
        "dog/2": ("conflicting", "the same bytes as 'cat/1', under another label"),
        "dog/3": ("accepted", ""),
    }


def test_a_copy_in_its_own_class_is_fine():
    told = outcome(entry("cat/1", "same"), entry("cat/2", "same"))
    assert set(told.values()) == {("accepted", "")}


def test_on_both_sides_of_given_splits_the_copy_for_training_is_left_out():
    told = outcome(
        entry("cat/1", "same", split="train"), entry("cat/2", "same", split="validation")
    )
    assert told["cat/1"] == ("conflicting", "the same bytes as 'cat/2': left out of train")
    assert told["cat/2"] == ("accepted", "")


def test_of_copies_in_all_splits_the_one_for_testing_is_kept():
    copies = [entry(f"cat/{name}", "same", split=name) for name in SPLITS[1:]]
    told = outcome(*copies, entry("cat/another test", "same", split="test"))
    accepted = {path for path, (status, _) in told.items() if status == "accepted"}
    assert accepted == {"cat/test", "cat/another test"}


def test_a_file_that_is_not_accepted_contradicts_nothing():
    rejected = entry("dog/1", "same", status="rejected", reason="bad")
    told = outcome(entry("cat/1", "same"), rejected, entry("dog/2", key=None, status="rejected"))
    assert told["cat/1"] == ("accepted", "")
    assert told["dog/1"] == ("rejected", "bad")


files = st.lists(
    st.builds(
        lambda number, label, content, split, status: replace(
            entry(f"{label}/{number}", content), split=split, status=status
        ),
        st.integers(),
        st.sampled_from(["cat", "dog"]),
        st.sampled_from("abcd"),
        st.sampled_from(SPLITS[1:]),
        st.sampled_from(["accepted", "accepted", "rejected"]),
    ),
    unique_by=lambda e: e.path,
)


@given(files)
def test_what_is_left_is_one_label_and_one_split_for_each_image(entries):
    left = what_is_left(entries)
    accepted = [e for e in left if e.status == "accepted"]
    assert len({(e.key, e.label, e.split) for e in accepted}) == len({e.key for e in accepted})
    assert [replace(e, status="", reason="") for e in left] == [
        replace(e, status="", reason="") for e in entries
    ]


@given(files)
def test_an_image_under_one_label_is_never_lost(entries):
    labels = {}
    for e in entries:
        if e.status == "accepted":
            labels.setdefault(e.key, set()).add(e.label)
    left = {e.key for e in what_is_left(entries) if e.status == "accepted"}
    assert left == {key for key, names in labels.items() if len(names) == 1}
