"""Images without labels: features only, until a table or class folders label them."""

import os

import pytest

from stores.manifest import Manifest
from tasks.datasets.folder_listing import OTHER_ENDING
from tasks.datasets.ingest import ingest
from tasks.datasets.label_table import LabelRule
from tasks.datasets.labelled_files import NO_LABELS, check_labelled
from tasks.datasets.seen_folder import IngestRequest, see
from tasks.datasets.splits import SplitRule
from tasks.errors import InputError
from tests.support.entries import as_entries
from tests.support.images import grow_old, small_png, write, write_classes
from tests.support.ingested import by_path, refusal

ANY = {"layout": "unlabelled"}

UNNEEDED = LabelRule(needed=False)


@pytest.fixture
def flat(tmp_path):
    """A folder of six images, of which two are copies, and a note."""
    for number in range(5):
        write(tmp_path / "flat" / f"{number}.png", small_png(number))
    write(tmp_path / "flat" / "copy of 0.png", small_png(0))
    write(tmp_path / "flat" / "notes.txt", b"note")
    grow_old()
    return tmp_path / "flat"


def table(tmp_path, lines):
    path = tmp_path / "labels.csv"
    path.write_text(lines)
    return LabelRule(path)


LABELS = "path,label\n" + "".join(f"{n}.png,{'even' if n % 2 == 0 else 'odd'}\n" for n in range(5))


def test_a_flat_folder_has_images_without_label_and_split(flat, store):
    assert len(see(IngestRequest(folder=flat, store=store, labels=UNNEEDED)).unread()) == 6
    done = ingest(flat, store=store, labels=UNNEEDED)
    assert (done.read, done.manifest) == (6, Manifest.read(store, "flat"))
    assert (done.manifest.layout, done.manifest.classes) == ("unlabelled", ())
    assert done.manifest.notes == (NO_LABELS,)
    images = done.manifest.select()
    assert images.paths.to_pylist() == [f"{number}.png" for number in range(5)]
    assert set(images.labels.tolist()) == {-1}
    assert images.splits.null_count == 5
    assert not len(done.manifest.select("train").keys)
    summary = done.manifest.summary()
    assert (summary.images, summary.duplicates, summary.counts) == (6, 1, {})
    assert [file.reason for file in summary.ignored] == [OTHER_ENDING]
    assert ingest(flat, store=store).read == 0  # the data set keeps its layout


def test_labels_are_needed_unless_features_are_all(flat, store):
    assert "no image in a class folder" in refusal(flat, store)
    assert refusal(flat, store).endswith("run flows.extract --layout unlabelled")
    assert ingest(flat, store=store, **ANY).manifest.layout == "unlabelled"


def test_class_folders_are_never_passed_over_unasked(tmp_path, store):
    folder = write_classes(tmp_path / "pets")
    assert ingest(folder, store=store, labels=UNNEEDED).manifest.classes == ("cat", "dog")
    told = refusal(folder, store, **ANY)
    assert "'pets' has labels and splits, which it would lose; give a new name" in told
    nested = ingest(folder, store=store, dataset="any", **ANY).manifest
    assert (nested.classes, len(nested.select().keys)) == ((), 10)


def test_a_data_set_that_has_labels_does_not_lose_them_to_a_flat_folder(tmp_path, store):
    folder = write_classes(tmp_path / "pets")
    before = ingest(folder, store=store).manifest
    for path in sorted(folder.glob("*/*.png")):
        path.rename(folder / path.name)
    for name in ("cat", "dog"):
        (folder / name).rmdir()
    assert "no image in a class folder" in refusal(folder, store, labels=UNNEEDED)
    assert Manifest.read(store, "pets") == before


@pytest.mark.parametrize("by", ["table", "folders"])
def test_labels_may_come_later_and_nothing_is_read_again(tmp_path, flat, store, by):
    first = ingest(flat, store=store, labels=UNNEEDED).manifest
    keys = {bytes(key) for key in first.select().keys}
    if by == "table":
        rule = table(tmp_path, LABELS + "copy of 0.png,even\n")
        done = ingest(flat, store=store, labels=rule)
        assert done.read == 0
    else:
        for number in range(5):
            place = flat / ("even" if number % 2 == 0 else "odd") / f"{number}.png"
            place.parent.mkdir(exist_ok=True)
            (flat / f"{number}.png").rename(place)
        assert ingest(flat, store=store).manifest.classes == ()
        done = ingest(flat, store=store, layout="auto")
    assert done.manifest.classes == ("even", "odd")
    assert {bytes(key) for key in done.manifest.select().keys} == keys
    assert done.manifest.select().splits.null_count == 0
    assert NO_LABELS not in done.manifest.notes


def test_what_cannot_be_used_is_left_out_with_its_reason(flat, store):
    write(flat / "broken.png", b"no image")
    write(flat / ".hidden" / "1.png", small_png(9))
    write(flat / os.fsdecode(b"\xff.png"), small_png(8))
    (flat / "more").symlink_to(flat)
    manifest = ingest(flat, store=store, **ANY).manifest
    found = {path: (e.status, e.reason.split(":")[0]) for path, e in by_path(manifest).items()}
    assert found["broken.png"] == ("rejected", "cannot be decoded")
    assert found["\\xff.png"][0] == "rejected"
    assert found[".hidden/1.png"][0] == "ignored"
    assert len(manifest.of_status("accepted")) == 6
    assert [note.split(",")[0] for note in manifest.notes[1:]] == [
        "1 images in hidden folders are left out",
        "1 links to folders below the folder are not followed",
    ]


def test_groups_by_their_paths_are_kept_for_the_day_of_the_labels(tmp_path, flat, store):
    rule = LabelRule(group_pattern=r"(\d)\.png")
    manifest = ingest(flat, store=store, labels=rule, **ANY).manifest
    assert {e.group for e in as_entries(manifest.of_status("accepted"))} == set("01234")
    assert manifest.summary().groups is None
    labelled = ingest(flat, store=store, labels=table(tmp_path, LABELS)).manifest
    assert labelled.summary().groups is not None


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ("path,group\n0.png,a\n", "no column label, which a folder without classes needs"),
        ("path,split\n0.png,train\n", "no column label, which a folder without classes needs"),
        (LABELS, "--layout unlabelled: .* has the labels; give one of the two"),
    ],
)
def test_a_table_is_of_labels(tmp_path, flat, store, lines, reason):
    with pytest.raises(InputError, match=reason):
        ingest(flat, store=store, labels=table(tmp_path, lines), **ANY)


def test_there_are_no_splits_to_give(tmp_path, flat, store):
    (tmp_path / "splits.csv").write_text("path,split\n0.png,train\n")
    told = refusal(flat, store, rule=SplitRule(file=tmp_path / "splits.csv"), **ANY)
    assert "a data set without labels has no splits" in told


def test_a_folder_without_a_usable_image_is_refused(tmp_path, store):
    write(tmp_path / "none" / "notes.txt", b"note")
    assert "no image; expected files that end in" in refusal(tmp_path / "none", store, **ANY)
    write(tmp_path / "none" / "1.png", b"no image")
    told = refusal(tmp_path / "none", store, **ANY)
    assert "no usable image (for example, 1.png: cannot be decoded" in told
    with pytest.raises(InputError, match="folder not found"):
        ingest(tmp_path / "nowhere", store=store, labels=UNNEEDED)


def test_what_learns_names_the_ways_to_labels(flat, store):
    manifest = ingest(flat, store=store, labels=UNNEEDED).manifest
    with pytest.raises(InputError, match=r"'flat' has no labels: .*--labels FILE.*--layout auto"):
        check_labelled(manifest)
