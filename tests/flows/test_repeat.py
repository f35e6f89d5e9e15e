"""What a report says under "To repeat it" gets the same run in a store that has nothing."""

import html
import re
import shlex

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.server  # long flows

SMALL = ("--image-size", "32", "--weights", "none", "--backbone", "mobilenet_v2")


def grow(folder, count):
    """Add images: so that the splits depend on what was there before."""
    rng = np.random.default_rng(count)
    for path in sorted(folder.iterdir()):
        for number in range(count):
            pixels = rng.integers(0, 256, (40, 48, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(path / f"more {number}.png")


@pytest.fixture
def grown(run_json, photos):
    """A data set that was ingested twice, the second time with more images."""
    run_json("ingest", photos)
    grow(photos, 12)
    return photos


@pytest.fixture
def repeat(run_json, grown):
    """Type what a report says in a fresh store, and return the last summary."""

    def repeat(report):
        page = (grown.parent / report).read_text()
        told = re.search('<section id="repeat">.*?<h3>', page, re.DOTALL)[0]
        for command in re.findall("<pre>(.*?)</pre>", told, re.DOTALL):
            words = shlex.split(html.unescape(command).replace("\\\n", " "))
            assert words[:2] == ["python", "-m"]
            words = ["--store=fresh" if w.startswith("--store=") else w for w in words]
            summary = run_json(words[2].removeprefix("flows."), *words[3:])
        return summary

    return repeat


def test_a_pipeline_on_a_data_set_that_grew(run_json, grown, repeat):
    heads = ("--head", "logistic", "--head", "tutorial", "--head", "knn")
    first = run_json("pipeline", grown, *SMALL, *heads)["train"]
    anew = run_json("pipeline", grown, *SMALL, *heads, "--store", "anew")["train"]
    assert anew["run"] != first["run"]  # another order of arrival: other splits
    again = run_json("pipeline", grown, *SMALL, *heads)
    told = repeat(again["report"])
    assert told["ingest"]["read"] == 54
    for name in ("run", "validation_accuracy", "test_accuracy"):
        assert told["train"][name] == first[name]
    runs = [[run["run"] for run in summary["runs"]] for summary in (told["train"], first)]
    assert runs[0] == runs[1]
    assert len(runs[0]) == 3


def test_a_pipeline_with_corrections_and_a_split_by_time(run_json, photos, repeat, tmp_path):
    paths = sorted(path.relative_to(photos).as_posix() for path in photos.rglob("*.png"))
    rows = "".join(f"{path},{n % 7}\n" for n, path in enumerate(paths))
    (tmp_path / "times.csv").write_text(f"path,day\n{rows}")
    other = "reddish" if paths[0].startswith("bluish") else "bluish"
    (tmp_path / "corrections.csv").write_text(
        f"path,label\n{paths[0]},{other}\n{paths[1]},exclude\n"
    )
    flags = ("--labels", "times.csv", "--column", "time=day", "--split-by", "time")
    flags += ("--corrections", "corrections.csv", "--head", "centroid")
    first = run_json("pipeline", photos, *SMALL, *flags)
    assert [one["label"] for one in first["ingest"]["corrections"]] == [other, None]
    told = repeat(first["report"])
    for name in ("run", "validation_accuracy", "test_accuracy"):
        assert told["train"][name] == first["train"][name]


@pytest.mark.parametrize("by", ["grid", "file"])
def test_a_sweep_with_its_grid_or_file(run_json, grown, repeat, tmp_path, by):
    taps = ("block_1_expand", "block_2_expand")
    run_json("extract", grown, *SMALL, *(f"--tap={tap}" for tap in taps))
    asked = ("--head", "ridge", "--grid", "penalty=1,100", "--grid", f"tap={','.join(taps)}")
    if by == "file":
        (tmp_path / "my sweep.toml").write_text(
            f"[features]\ntap = {list(taps)}\n[[head]]\nkind = 'ridge'\npenalty = [1.0, 100.0]"
        )
        asked = (tmp_path / "my sweep.toml",)
    first = run_json("sweep", grown.name, *asked, *SMALL, "--folds", "3", "--open-test")
    (tmp_path / "my sweep.toml").unlink(missing_ok=True)
    told = repeat(first["report"])
    assert (told["trained"], told["cached"]) == (4, 0)
    for name in ("run", "validation_accuracy", "test_accuracy", "selection"):
        assert told[name] == first[name]


def test_a_mistake_in_a_split_file_is_one_line_and_exit_code_2(run, photos, tmp_path):
    (tmp_path / "splits.csv").write_text("path,split\nreddish/0.png,train\n")
    for flow in ("ingest", "pipeline"):
        code, _, errors = run(flow, photos, "--split-file", "splits.csv")
        assert (code, errors.count("\n")) == (2, 1)
        assert "splits.csv: no split for 'bluish/0.png' and 28 more" in errors
    code, _, errors = run("extract", "photos", "--split-file", "splits.csv")
    assert (code, errors.count("\n")) == (2, 1)
