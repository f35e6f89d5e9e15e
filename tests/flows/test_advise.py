import shlex
import shutil
from pkgutil import resolve_name

import pytest

from flows.cli.command_line import make_app
from stores.manifest import Manifest
from tasks.datasets import subset as draw
from tasks.datasets.digits_sample import write_sample
from tests.support.entries import entries_of
from tests.support.places import ROOT

pytestmark = pytest.mark.server  # it takes a minute of a Prefect server

PHOTOGRAPHS = ROOT.parent / "shared/data/cats_and_dogs/train"
SMALL = ("--image-size", "32")


@pytest.fixture
def cats_and_dogs(tmp_path):
    """A hundred photographs of each."""
    if not PHOTOGRAPHS.is_dir():
        pytest.skip(f"no photographs at {PHOTOGRAPHS}")
    for name in ("cats", "dogs"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for path in sorted((PHOTOGRAPHS / name).glob("*.jpg"))[:100]:
            shutil.copy(path, tmp_path / "pets" / name)
    return tmp_path / "pets"


def test_digits_are_different_from_imagenet(run_json, tmp_path, monkeypatch):
    monkeypatch.setattr(draw, "MOST_IMAGES", 400)
    summary = run_json("advise", write_sample(tmp_path))
    assert (summary["likeness"], summary["certainty"]) == ("different", "agreed")
    assert not summary["large"]
    assert "--tap=block6a_expand_activation" in summary["method"]["commands"][0]


def test_cats_and_dogs_are_similar_to_imagenet(run_json, cats_and_dogs):
    summary = run_json("advise", cats_and_dogs)
    assert summary["likeness"] == "similar"
    assert summary["method"]["commands"][0] == "python -m flows.extract pets"


def test_a_second_time_nothing_is_computed_and_the_test_split_never(run, run_json, photos):
    first = run_json("advise", photos, *SMALL)
    assert first["extract"]["computed"] == first["evidence"]["images"] == 24
    again = run_json("advise", "photos", *SMALL)
    assert again["extract"]["computed"] == 0
    assert again["evidence"] == first["evidence"]
    code, output, _ = run("advise", "photos", *SMALL)
    assert code == 0
    assert output.startswith("photos: small; ")
    assert all(command in output for command in again["method"]["commands"])


def test_what_is_to_be_run_next_runs(run, run_json, photos):
    summary = run_json("advise", photos, *SMALL, "--store", "kept here")
    for command in summary["method"]["commands"]:
        flow, *arguments = shlex.split(command.removeprefix("python -m flows."))
        code, _, errors = run(flow, *arguments)
        assert code == 0, errors


def test_fine_tuning_takes_the_flags_that_are_advised(run_json, photos, monkeypatch):
    pytest.importorskip("flows.finetune", exc_type=ImportError)
    monkeypatch.setattr("tasks.advice.recommendation.LARGE", 5)
    for command in run_json("advise", photos, *SMALL)["method"]["commands"]:
        flow, *arguments = shlex.split(command.removeprefix("python -m flows."))
        app = make_app(resolve_name(f"flows.{flow}:{flow}"), str)
        app.parse_args(arguments, print_error=False, exit_on_error=False)


def test_a_drawn_image_that_is_gone_costs_itself_only(run_json, photos, monkeypatch):
    monkeypatch.setattr(draw, "MOST_IMAGES", 20)
    run_json("ingest", photos, "--dataset", "drawn from")
    drawn = draw.drawn_part(Manifest.read("feature-store", "drawn from"))
    (photos / entries_of(drawn)[0].path).unlink()
    summary = run_json("advise", "drawn from", *SMALL)
    assert summary["evidence"]["images"] == summary["extract"]["computed"] == 19


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("photos", "--weights", "none"), "use --weights imagenet"),
        (("photos", "--pooling", "none"), "--pooling: Input should be 'avg', 'max', 'cls'"),
        (("photos", "--tap", "block9"), "unknown layer 'block9'"),
        (("missing",), "no data set 'missing'"),
    ],
)
def test_what_cannot_be_advised_on_is_one_line(run, run_json, photos, arguments, part):
    run_json("ingest", photos)
    code, _, errors = run("advise", *arguments)
    assert code == 2
    assert errors.count("\n") == 1
    assert part in errors
