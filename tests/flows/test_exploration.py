"""Similar images, clusters and what to label next: the commands, on one store."""

import csv
import json

import pytest
from PIL import Image

SMALL = ("--image-size", "32")


@pytest.fixture
def run_id(once, run_json, photos):
    # The folder of this name is each test's own, and the copied store's is the first one's.
    asked = (photos, *SMALL, "--head", "logistic", "--dataset", "colours")
    return once(lambda: run_json("pipeline", *asked))["train"]["run"]


@pytest.fixture
def pool(tmp_path, photos):
    """A folder without classes: two of the photos, and twelve others."""
    folder = tmp_path / "pool"
    folder.mkdir()
    for name in ("reddish", "bluish"):
        (folder / f"{name}.png").write_bytes((photos / name / "3.png").read_bytes())
    for n in range(12):
        Image.new("RGB", (48, 40), (20 * n, 100, 250 - 20 * n)).save(folder / f"{n}.png")
    return folder


def test_similar_images_are_told_in_a_table_and_a_picture(run, run_id, photos, tmp_path):
    new = tmp_path / "new.png"
    Image.new("RGB", (50, 40), (240, 60, 60)).save(new)
    (tmp_path / "bad.jpg").touch()
    outputs = ("--output", tmp_path / "near.jsonl", "--grid", tmp_path / "near.png")
    images = (new, "reddish/3.png", tmp_path / "bad.jpg")
    code, output, _ = run("similar", *images, "--in", "colours", *SMALL, "-k", 5, *outputs)
    assert code == 0
    assert "in the data set as reddish/3.png, left out" in output
    assert "3 images in" in output
    assert "among 30 images of colours" in output
    assert "features of 1 computed, 1 cached, 1 rejected" in output
    rows = [json.loads(line) for line in (tmp_path / "near.jsonl").read_text().splitlines()]
    assert [row["rank"] for row in rows] == [1, 2, 3, 4, 5, 1, 2, 3, 4, 5, None]
    assert {row["label"] for row in rows[5:10]} == {"reddish"}
    with Image.open(tmp_path / "near.png") as picture:
        assert picture.size[0] > picture.size[1] > 300


def test_a_run_says_which_features_and_which_data_set(run_json, run_id):
    told = run_json("similar", "photos/reddish/3.png", "--run", run_id[:12], "-k", 3)
    assert told["dataset"] == "colours"
    assert (told["computed"], len(told["found"][0]["similar"])) == (0, 3)


def test_what_to_label_next_is_a_table_that_ingest_reads_once_it_is_filled(
    run, run_json, run_id, pool, tmp_path
):
    table, layout = tmp_path / "next.csv", ("--layout", "unlabelled")
    asked = ("next", pool, *layout, "--run", run_id, "-k", 4, "--output", table)
    told = run_json(*asked, "--grid", tmp_path / "next.png", "--method", "uncertain")
    assert (told["without_label"], told["with_label"], len(told["images"])) == (12, 30, 4)
    assert {image["predicted"] for image in told["images"]} <= {"reddish", "bluish"}
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert not {row["path"] for row in rows} & {"reddish.png", "bluish.png"}
    for number, row in enumerate(rows):
        row["label"] = "ab"[number % 2]
    with table.open("w") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    summary = run_json("ingest", pool, "--labels", table, "--dataset", "round-1")
    assert (summary["images"], summary["classes"]) == (4, ["a", "b"])


def test_a_folder_of_which_nothing_is_known_is_extracted_and_clustered(run, pool, tmp_path):
    outputs = ("--output", tmp_path / "clusters.csv", "--page", tmp_path / "clusters.html")
    code, output, _ = run("clusters", pool, "--layout", "unlabelled", *SMALL, *outputs)
    assert code == 0
    assert "14 images of pool in" in output
    assert "-k auto: these numbers of clusters separate best" in output
    assert len((tmp_path / "clusters.csv").read_text().splitlines()) == 15
    assert "<section>" in (tmp_path / "clusters.html").read_text()
    code, output, _ = run("next", pool.name, *SMALL, "-k", 3)
    assert (code, output.count("typical of")) == (0, 3)


def test_clusters_are_compared_with_labels(run_json, run_id):
    told = run_json("clusters", "colours", *SMALL, "-k", 2)
    assert told["agreement"]["purity"] > 0.8
    assert told["agreement"]["rand_index"] > 0.5
    assert sum(one["images"] for one in told["clusters"]) == 30


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (("similar", "none.png"), "none.png: not found; give an image file"),
        (("similar", "colours", "--in", "nothing"), "'nothing': folder not found"),
        (("similar", "colours", "--run", "RUN", "--backbone", "vgg16"), "--run has its own"),
        (("similar", "colours", "--grid", "near.pdf"), "expected a file name that ends in .png"),
        (("next", "colours", "--run", "RUN"), "all 30 images of colours have a label in colours"),
        (("next", "colours", "--run", "RUN", "--labelled", "pool"), "no data set 'pool'"),
        (("clusters", "colours", "-k", "1"), "-k: expected auto, or a number from 2 to 500"),
        (("clusters", "colours", "--image-size", "32", "-k", "40"), "found 30"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(run, run_id, arguments, match):
    told = [run_id if word == "RUN" else word for word in arguments]
    code, _, errors = run(*told)
    lines = [line for line in errors.splitlines() if line.startswith("error")]
    assert (code, len(lines)) == (2, 1)
    assert match in lines[0]
