"""Ingest from the command line: images that a Parquet file holds, as those of Hugging Face."""

from pathlib import Path

import pytest

from flows.cli.work import extract_work, ingest_work
from flows.parameters.datasets import IngestParameters, check_source
from flows.parameters.features import ExtractParameters
from tasks.errors import InputError
from tests.support.flows import loaded_by
from tests.support.images import encoded, pixels
from tests.support.packed import structs, write_packed

UNTRAINED = ("--image-size", "32", "--backbone", "mobilenet", "--weights", "none")


@pytest.fixture
def hub(tmp_path):
    """Files of train and test images of two classes, as a clone of the Hub has them."""
    for first, (name, count) in enumerate({"train": 20, "test": 8}.items()):
        images = [encoded(pixels(100 * first + n), "JPEG") for n in range(count)]
        path = tmp_path / "hub" / "data" / f"{name}-00000-of-00001.parquet"
        label = [n % 2 for n in range(count + 1)]
        write_packed(path, image=structs([*images, None]), label=label)
    return tmp_path / "hub"


@pytest.mark.server  # a long flow
def test_a_hub_s_files_go_through_the_pipeline_and_nothing_is_done_twice(run_json, hub, tmp_path):
    asked = ("pipeline", "pets", "--labels", hub, "--head", "logistic", *UNTRAINED)
    first, again = run_json(*asked), run_json(*asked)
    assert first["ingest"]["counts"] == {
        name: {"train": 8, "validation": 2, "test": 4} for name in ("cat", "dog")
    }
    note = "unpacked: 2 rows without an image are left out (for one, row 9 of test-"
    assert first["ingest"]["notes"][0].startswith(note)
    assert [r["extract"]["computed"] for r in (first, again)] == [28, 0]
    assert [r["ingest"]["read"] for r in (first, again)] == [28, 0]
    assert again["train"]["cached"]
    (image, *_) = sorted((tmp_path / "pets").glob("*.jpg"))
    assert run_json("predict", first["train"]["run"], image)["predictions"]
    assert "2 rows without an image" in Path(first["report"]).read_text()


def test_extract_makes_the_folder_too(run, run_json, hub):
    assert run_json("extract", "pets", "--labels", hub, *UNTRAINED)["computed"] == 28
    code, _, errors = run("extract", "none", "--labels", "hub/data/none.parquet")
    assert (code, errors) == (2, "error: hub/data/none.parquet: table of labels not found\n")


def test_the_text_tells_what_is_left_out(run, hub):
    code, output, _ = run("ingest", "pets", "--labels", hub)
    assert code == 0
    assert "  note: unpacked: 2 rows without an image are left out" in output
    code, _, errors = run("ingest", "pets", "--labels", hub, "--column", "image=img")
    assert code == 2
    assert "no column 'img' for image. Received: image, label" in errors
    assert errors.count("\n") == 1


def test_a_folder_that_is_not_there_is_refused_before_a_server_starts(hub, tmp_path):
    with pytest.raises(InputError, match="folder not found; give a folder"):
        check_source(tmp_path / "none", parameters=IngestParameters())
    (tmp_path / "labels.csv").write_text("path,label\n")
    with pytest.raises(InputError, match="folder not found; give a folder"):
        check_source(tmp_path / "none", parameters=IngestParameters(labels=tmp_path / "labels.csv"))
    check_source(tmp_path / "none", parameters=IngestParameters(labels=hub))
    check_source(None, parameters=IngestParameters())


def test_to_warm_up_unpacks_nothing(hub, tmp_path, monkeypatch):
    loaded = []
    monkeypatch.setattr("flows.cli.work.load_engine", loaded.append)
    given = {"labels": hub, "store": tmp_path / "feature-store"}
    loaded_by(ingest_work, tmp_path / "pets", parameters=IngestParameters(**given))
    loaded_by(extract_work, tmp_path / "pets", parameters=ExtractParameters(**given, image_size=32))
    assert len(loaded) == 1
    assert not (tmp_path / "pets").exists()
