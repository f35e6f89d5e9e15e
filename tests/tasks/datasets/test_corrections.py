"""Corrections: what they change, that they are kept and undone, and each mistake in one line."""

import shutil
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stores.dataset_summary import Correction
from stores.manifest import Manifest
from tasks.datasets.corrections import NO_CORRECTIONS, corrected
from tasks.datasets.ingest import ingest
from tasks.datasets.label_table import LabelRule, labels_csv
from tasks.datasets.path_table import PathTable
from tasks.datasets.splits import split_rows
from tasks.errors import InputError
from tests.support.entries import MANIFEST, as_entries, entries_of, entry, rows_of
from tests.support.images import write_classes
from tests.support.ingested import by_path, split_of_keys

TWO = "path,label\ncat/000.png,dog\ncat/001.png,exclude\n"


CORRECTIONS = st.sampled_from(["cat", "dog", "exclude"])


def corrected_again(entries, known, previous):
    """Return the manifest of entries with corrections by path, as ingest makes it."""
    columns, table = ("path", "label", "exclude"), None
    if known is not None:
        rows = [list(known), list(known.values()), [None] * len(known)]
        texts = [pa.array(values, pa.string()) for values in rows]
        table = PathTable("c.csv", pa.table(texts, columns), columns)
    classes = ("cat", "dog")
    rows, _ = corrected(rows_of(entries), table, previous, classes, Path("/pets"))
    return replace(MANIFEST, rows=split_rows(MANIFEST, rows, previous))


@pytest.fixture
def folder(tmp_path):
    return write_classes(tmp_path / "pets")


@pytest.fixture
def correct(tmp_path, folder, store):
    """Ingest with a table of corrections, or with none."""

    def correct(text=None, name="corrections.csv", **others):
        if text is not None:
            (tmp_path / name).write_text(text)
        path = NO_CORRECTIONS if text is None else tmp_path / name
        return ingest(folder, store=store, labels=LabelRule(corrections=path, **others))

    return correct


def test_labels_are_corrected_and_images_excluded_and_no_image_moves(folder, store, correct):
    before = ingest(folder, store=store).manifest
    done = correct(TWO)
    assert done.read == 0
    after = by_path(done.manifest)
    assert (after["cat/000.png"].label, after["cat/001.png"].status) == ("dog", "excluded")
    assert split_of_keys(done.manifest) == split_of_keys(before)
    assert len(done.manifest.select().keys) == 9
    assert done.manifest.digest != before.digest
    assert done.manifest.summary().corrections == (
        Correction("cat/000.png", "cat", "dog"),
        Correction("cat/001.png", "cat", None),
    )
    assert correct(TWO).manifest == done.manifest


def test_they_are_kept_until_they_are_undone(folder, store, correct):
    before = ingest(folder, store=store).manifest
    corrected = correct(TWO).manifest
    assert ingest(folder, store=store).manifest == corrected
    assert ingest(folder, store=store, rehash=True).manifest.digest == corrected.digest
    undone = correct()
    assert undone.read == 0
    assert undone.manifest.rows.equals(before.rows)
    assert Manifest.read(store, "pets").digest == before.digest
    assert correct().manifest == undone.manifest


def test_another_table_is_instead_of_the_first(correct):
    correct(TWO)
    second = correct("path,label\ndog/005.png,cat\n").manifest
    assert [one.path for one in second.summary().corrections] == ["dog/005.png"]


def test_a_renamed_edited_or_copied_image_keeps_its_correction_and_one_that_returns(
    folder, store, correct
):
    correct(TWO)
    (folder / "cat/000.png").rename(folder / "cat/z.png")
    shutil.copy(folder / "cat/001.png", folder / "cat/copy.png")
    listed = by_path(ingest(folder, store=store).manifest)
    assert listed["cat/z.png"].label == "dog"
    assert listed["cat/copy.png"].status == "excluded"
    (folder / "cat/z.png").write_bytes((folder / "cat/z.png").read_bytes() + b"edited")
    assert by_path(ingest(folder, store=store).manifest)["cat/z.png"].label == "dog"
    content = (folder / "cat/z.png").read_bytes()
    (folder / "cat/z.png").unlink()
    assert "cat/z.png" not in by_path(ingest(folder, store=store).manifest)
    (folder / "cat/z.png").write_bytes(content)
    assert by_path(ingest(folder, store=store).manifest)["cat/z.png"].label == "dog"


def test_undoing_them_is_for_removed_images_too(folder, store, correct):
    correct(TWO)
    aside = (folder / "cat/001.png").rename(folder.parent / "aside.png")
    ingest(folder, store=store)
    correct()
    shutil.copy(aside, folder / "cat/001.png")
    assert by_path(ingest(folder, store=store).manifest)["cat/001.png"].status == "accepted"


@settings(max_examples=60)
@given(st.lists(st.dictionaries(st.integers(0, 30), CORRECTIONS), min_size=1, max_size=4))
def test_whatever_is_corrected_no_image_moves_no_group_is_divided_and_all_is_undone(steps):
    """Each step has corrections by the number of the image; None: those of before stay."""
    entries = [
        entry(f"{'cat' if n % 3 else 'dog'}/{n}", f"{n}", group=f"g{n // 4}" if n < 20 else None)
        for n in range(30)
    ]
    paths = {n: one.path for n, one in enumerate(entries)}
    manifest = first = corrected_again(entries, {}, None)
    wanted = {}
    for step in steps:
        known = {paths[n]: label for n, label in step.items() if n in paths}
        manifest = corrected_again(entries, known or None, manifest)
        wanted = known or wanted
        listed = {e.path: e for e in entries_of(manifest)}
        splits = {}
        for one in as_entries(manifest.of_status("accepted")):
            splits.setdefault(one.group or one.path, set()).add(one.split)
            assert one.label == wanted.get(one.path, one.path.split("/")[0])
        assert all(len(of_group) == 1 for of_group in splits.values())
        assert {e.path: e.split for e in entries_of(first)}.items() <= {
            path: e.split for path, e in listed.items()
        }.items()
        assert {path for path, e in listed.items() if e.status == "excluded"} == {
            path for path, label in wanted.items() if label == "exclude"
        }
    assert corrected_again(entries, {}, manifest).rows.equals(first.rows)


def test_an_image_in_the_folder_of_its_right_class_needs_none(folder, store, correct):
    correct(TWO)
    (folder / "cat/000.png").rename(folder / "dog/000.png")
    manifest = ingest(folder, store=store).manifest
    assert by_path(manifest)["dog/000.png"].given_label is None
    assert len(manifest.summary().corrections) == 1


def test_corrections_of_a_table_of_labels_leave_the_table_as_it_was(
    tmp_path, folder, store, correct
):
    names = [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*.png"))]
    rows = "".join(f"{name},{'ab'[n % 2]}\n" for n, name in enumerate(names))
    (tmp_path / "labels.csv").write_text(f"path,label\n{rows}")
    both = correct("path,label\ncat/000.png,b\n", file=tmp_path / "labels.csv").manifest
    assert by_path(both)["cat/000.png"].label == "b"
    assert "cat/000.png,b\n" in labels_csv(both).decode()
    assert ingest(folder, store=store).manifest == both
    assert by_path(correct().manifest)["cat/000.png"].label == "a"


def test_a_report_s_table_has_the_corrected_labels_and_no_excluded_image(correct):
    lines = labels_csv(correct(TWO).manifest).decode().splitlines()
    assert lines[:3] == ["path,label", "cat/000.png,dog", "cat/002.png,cat"]


def test_one_of_two_contradictory_copies_is_corrected_or_excluded(folder, store, correct):
    shutil.copy(folder / "cat/000.png", folder / "dog/twin.png")
    assert by_path(ingest(folder, store=store).manifest)["dog/twin.png"].status == "conflicting"
    for label in ("cat", "exclude"):
        rows = by_path(correct(f"path,label\ndog/twin.png,{label}\n").manifest)
        assert rows["cat/000.png"].status == "accepted"


def test_what_has_no_effect_is_a_note(folder, correct):
    (folder / "cat/notes.txt").write_text("a")
    manifest = correct(
        "path,label\ngone.png,dog\nlost.png,exclude\ncat/000.png,cat\ncat/notes.txt,dog\n"
    ).manifest
    assert manifest.notes == (
        "2 corrections without effect, of files that are not there (for one, 'gone.png')",
        "1 corrections without effect, of files that are no usable images (for one, "
        "'cat/notes.txt')",
        "1 corrections without effect, of images that have this label (for one, 'cat/000.png')",
    )
    assert manifest.summary().corrections == ()


def test_a_column_exclude_and_a_class_of_that_name(tmp_path, store):
    folder = write_classes(tmp_path / "names", ("cat", "exclude"))
    (tmp_path / "c.csv").write_text(
        "path,label,exclude\ncat/000.png,exclude,\ncat/001.png,,true\ncat/002.png,cat,no\n"
    )
    rule = LabelRule(corrections=tmp_path / "c.csv")
    rows = by_path(ingest(folder, store=store, labels=rule).manifest)
    assert rows["cat/000.png"].label == "exclude"
    assert rows["cat/000.png"].status == rows["cat/002.png"].status == "accepted"
    assert rows["cat/001.png"].status == "excluded"


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ("path,label\ncat/000.png,dgo\n", "'cat/000.png': unknown class 'dgo': did you mean dog"),
        ("path,label\ncat/000.png,\n", "row 1: 'cat/000.png' has no label"),
        ("path,exclude\ncat/000.png,perhaps\n", "must be true or false. Received: 'perhaps'"),
        ("path,exclude\ncat/000.png,false\n", "row 1: 'cat/000.png' has no label"),
        ("path,label\ncat/000.png,dog\ncat/000.png,exclude\n", "two values of label"),
        ("path,class\ncat/000.png,dog\n", "expected a column label or exclude beside the path"),
        ("path,label\n", "the table has no rows"),
        ("path,label\n" + "".join(f"cat/00{n}.png,dog\n" for n in range(5)), "in class 'cat', aft"),
    ],
)
def test_each_mistake_is_one_line_and_nothing_is_lost(folder, store, correct, lines, reason):
    before = ingest(folder, store=store).manifest
    with pytest.raises(InputError, match=reason) as error:
        correct(lines)
    assert "\n" not in str(error.value)
    assert Manifest.read(store, "pets") == before


def test_a_class_that_is_gone_while_an_image_is_corrected_to_it(folder, store, correct):
    correct(TWO)
    shutil.rmtree(folder / "dog")
    with pytest.raises(InputError, match=r"'dog'.*--corrections none undoes all"):
        ingest(folder, store=store)
    assert correct().manifest.classes == ("cat",)
