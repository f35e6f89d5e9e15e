"""Bursts: with --keep-together near-duplicates no split divides one, whatever comes later."""

import html
import re
import shlex

import numpy as np
import pytest
from PIL import Image

from stores.manifest import Manifest

pytestmark = pytest.mark.server  # long flows

KEEP = ("--keep-together", "near-duplicates")
SMALL = ("--image-size", "32", "--head", "logistic")
THINGS, CROPS = 18, 3


def picture(number):
    noise = np.random.default_rng(number).integers(0, 256, (12, 16, 3), np.uint8)
    return Image.fromarray(noise).resize((96, 72), Image.Resampling.BICUBIC)


def shoot(folder, things, crops):
    """Write crops of pictures, each elsewhere and of another size; files are named N-THING."""
    for thing in things:
        (folder / f"class{thing % 2}").mkdir(parents=True, exist_ok=True)
        for n in crops:
            crop = picture(thing).crop((n, 0, 96 - n, 72 - n)).resize((96 - 9 * n, 72 - 9 * n))
            crop.save(folder / f"class{thing % 2}/{n}-{thing}.jpg", quality=90)


@pytest.fixture
def bursts(tmp_path):
    shoot(tmp_path / "bursts", range(THINGS), range(CROPS))
    return tmp_path / "bursts"


def splits(store, name="bursts"):
    """Return the split of each image that is used, by thing and path."""
    found = {}
    for row in Manifest.read(store, name).of_status("accepted").to_pylist():
        thing = row["path"].rpartition("-")[2]
        found.setdefault(thing, {})[row["path"]] = row["split"]
    return found


def divided(found):
    return sorted(thing for thing, images in found.items() if len(set(images.values())) > 1)


def test_no_burst_is_divided_a_second_run_computes_nothing_and_new_images_join(
    run, run_json, bursts, tmp_path
):
    store = tmp_path / "feature-store"
    run_json("ingest", bursts, "--dataset", "apart")
    assert len(divided(splits(store, "apart"))) > THINGS / 3
    first = run_json("pipeline", bursts, *SMALL, *KEEP)
    before = splits(store)
    assert divided(before) == []
    assert sum(map(len, before.values())) == THINGS * CROPS
    assert {split for images in before.values() for split in images.values()} == {
        "train",
        "validation",
        "test",
    }
    groups = first["ingest"]["groups"]
    assert sum(groups[split] for split in ("train", "validation", "test")) == THINGS
    assert first["train"]["near_duplicates"]["pairs"] == 0
    assert first["ingest"]["notes"] == []

    again = run_json("pipeline", bursts, *SMALL)  # the data set keeps it
    assert (again["ingest"]["read"], again["extract"]["computed"]) == (0, 0)
    assert (again["train"]["cached"], again["train"]["run"]) == (True, first["train"]["run"])
    assert splits(store) == before

    shoot(bursts, [*range(THINGS), THINGS, THINGS + 1], [CROPS])
    _, output, _ = run("pipeline", bursts, *SMALL)
    after = splits(store)
    assert divided(after) == []
    assert all(after[thing].items() > images.items() for thing, images in before.items())
    assert "the largest, 'near-duplicate images " in output


def test_on_an_existing_split_no_image_moves_and_what_is_divided_is_told_and_undone(
    run, run_json, bursts, tmp_path
):
    store = tmp_path / "feature-store"
    run_json("extract", bursts, "--image-size", "32")
    before = splits(store)
    code, output, _ = run("extract", bursts, "--image-size", "32", *KEEP)
    assert code == 0
    assert "  groups: " in output
    assert "  left out: " in output
    kept = splits(store)
    assert divided(kept) == []
    assert all(before[thing].items() >= images.items() for thing, images in kept.items())
    assert len(kept) == THINGS
    run_json("ingest", bursts, "--keep-together", "none")
    assert splits(store) == before


def test_the_reports_command_has_the_groups(run_json, bursts, tmp_path):
    first = run_json("pipeline", bursts, *SMALL, *KEEP, "--folds", "3")
    page = (tmp_path / first["report"]).read_text()
    assert "The data set keeps near-duplicates in one split." in page
    command = html.unescape(re.findall("<pre>(.*?)</pre>", page, re.DOTALL)[0])
    words = shlex.split(command.replace("\\\n", " "))[3:]
    elsewhere = [word for word in words if not word.startswith("--store")]
    again = run_json("pipeline", *elsewhere, "--store", tmp_path / "other")
    assert again["train"]["run"] == first["train"]["run"]
    assert divided(splits(tmp_path / "other")) == []


def test_what_cannot_be_searched_is_said_and_not_claimed(run, bursts, tmp_path):
    for path in sorted(bursts.rglob("*.jpg"))[::2]:
        path.unlink()
    code, output, _ = run("pipeline", bursts, *SMALL, *KEEP)
    assert code == 0
    note = "  note: near-duplicates may be in two splits: 27 images are too few to compare"
    assert output.splitlines().count(note) == 1
    assert "groups:" not in output
    (page,) = (tmp_path / "feature-store/reports").glob("bursts-*.html")
    assert note.removeprefix("  note: ") in page.read_text()


def test_nothing_learns_from_images_that_are_not_searched(run, run_json, bursts):
    run_json("extract", bursts, "--image-size", "32", "--dataset", "other")
    output = run("ingest", bursts, *KEEP)[1]
    assert "near-duplicates of 54 images are not searched yet" in output
    code, _, errors = run("train", "bursts", *SMALL)
    assert (code, errors.count("\n")) == (2, 1)
    assert "run python -m flows.extract 'bursts' first" in errors
    run_json("extract", "bursts", "--image-size", "32")
    run_json("train", "bursts", *SMALL)
