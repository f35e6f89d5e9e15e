"""Data sets of several labels and of numbers: what commands print of them, and what is refused."""

import json

import numpy as np
import pytest
from PIL import Image

from stores.runs.store import RunStore
from tests.stores.runs.test_record import RUN
from tests.support.runs import publish, replace

SMALL = ("--image-size", "32", "--backbone", "lenet5", "--weights", "none")


@pytest.fixture
def filled(once, run, run_json, tmp_path):
    """A store with the data sets `tags` and `ages` of the same photos, and a run of each."""

    def make():
        rng, folder = np.random.default_rng(0), tmp_path / "photos"
        folder.mkdir()
        tags, ages = ["path,label"], ["path,age"]
        for n in range(24):
            pixels = rng.integers(0, 255, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{n:02}.png")
            names = [name for name, every in (("cat", 2), ("dog", 3)) if n % every == 0]
            tags.append(f"{n:02}.png,{' | '.join(names)}")
            ages.append(f"{n:02}.png,{n / 4}")
        (tmp_path / "tags.csv").write_text("\n".join(tags))
        (tmp_path / "ages.csv").write_text("\n".join(ages))
        given = {"tags": ("--label-separator", "|"), "ages": ("--target", "age")}
        told = {}
        for name, flags in given.items():
            asked = (folder, "--dataset", name, "--labels", tmp_path / f"{name}.csv", *flags)
            code, told[name], errors = run("ingest", *asked)
            assert code == 0, errors
            publish(RunStore("feature-store"), replace(RUN, dataset=name, seed=len(told)))
        return told

    return once(make)


def test_ingest_counts_labels_and_tells_the_range_of_numbers(filled):
    tags, ages = (filled[name].splitlines() for name in ("tags", "ages"))
    assert tags[0].startswith("data set tags: 24 images with 2 labels in")
    assert tags[1].split() == ["train", "validation", "test"]
    rows = {line[:22].strip(): sum(map(int, line[22:].split())) for line in tags[2:5]}
    assert rows == {"cat": 12, "dog": 8, "none of them": 8}
    assert not any("baseline" in line for line in tags)
    assert ages[0].startswith("data set ages: 24 images with a number, 'age', in")
    assert ages[1].split() == ["images", "smallest", "mean", "largest"]
    assert [line.split()[:2] for line in ages[2:]] == [
        ["train", "15"],
        ["validation", "4"],
        ["test", "5"],
    ]


@pytest.mark.parametrize(
    ("command", "dataset", "flags", "what"),
    [
        ("finetune", "tags", (), "fine-tuning"),
        ("finetune", "ages", ("--strategy", "features"), "fine-tuning"),
        ("advise", "tags", ("--image-size", "32"), "advice"),
        ("review", "ages", ("--no-browser",), "review"),
        ("extract", "tags", ("--precision", "int8", "--image-size", "32"), "--precision int8"),
    ],
)
def test_what_needs_classes_is_refused_in_one_line(run, filled, command, dataset, flags, what):
    assert filled
    runs = {row["dataset"]: row["run"] for row in RunStore("feature-store").table().to_pylist()}
    code, _, errors = run(command, runs[dataset] if command == "finetune" else dataset, *flags)
    has = {"tags": "several labels with '|' between them", "ages": "the number 'age'"}[dataset]
    assert code == 2
    (line,) = errors.splitlines()
    assert line.startswith(f"error: {what}: data set {dataset!r} has {has}, expected one class per")


def test_images_with_labels_are_found_and_grouped(run, filled, tmp_path):
    assert filled
    for name, label in (("tags", "cat"), ("ages", "0.5")):
        rows = tmp_path / f"{name}.jsonl"
        code, _, errors = run("clusters", name, *SMALL, "-k", 2, "--output", rows)
        assert code == 0, errors
        found = [json.loads(line) for line in rows.read_text().splitlines()]
        assert {row["path"]: row["label"] for row in found}["02.png"] == label
        code, output, errors = run("similar", "02.png", "--in", name, *SMALL, "-k", 23)
        assert code == 0, errors
        assert {"tags": "cat|dog", "ages": "5.75"}[name] in output


def test_labels_and_numbers_are_predicted_by_a_run_and_by_its_export(run, run_json, filled):
    assert filled
    for name in ("tags", "ages"):
        run_json("extract", name, *SMALL)
        found = run_json("train", name, *SMALL, "--head", "ridge")["run"]
        outputs = ("--output", f"{name}.csv", "--grid", f"{name}.png")
        code, output, errors = run("predict", found, name, *outputs)
        assert (code, errors.count("error")) == (0, 0)
        assert f"of data set {name}: 19 images of train and validation" in output
        code, _, errors = run("export", found, f"{name}-model", "--format", "openvino")
        assert code == 0, errors
        ours, theirs = (
            [one["predicted"] for one in run_json("predict", model, "tags")["predictions"]]
            for model in (found, f"{name}-model")
        )
        if name == "tags":
            assert ours == theirs
            assert [] in ours
            assert ["cat"] in ours
        else:
            assert ours == pytest.approx(theirs, abs=0.01)
            wide = run_json("predict", "ages-model", "tags", "--coverage", "0.5")["intervals"]
            assert (wide["held_out_images"], wide["by"]) == (4, None)
        refused = [("--coverage", "0.5", "--coverage-by", "class"), ("--cost", "cat=5")]
        for flags in (*refused, ("--coverage", "0.5", "--sets", "aps")):
            code, _, errors = run("predict", found, "tags", *flags)
            assert (code, errors.count("\n")) == (2, 1)
