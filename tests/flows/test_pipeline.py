import base64
import html
import json
import pickle
import re
import shlex
import shutil
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId

from tests.support.prefect_server import eventually, last_run, task_states

pytestmark = pytest.mark.server  # long flows


SMALL = ("--image-size", "32", "--head", "logistic", "--head", "tutorial")


def test_a_second_run_computes_nothing_and_a_changed_file_one_row(run_json, photos):
    first = run_json("pipeline", photos, *SMALL)
    assert first["extract"]["computed"] == first["ingest"]["read"] == 30
    assert not first["train"]["cached"]
    again = run_json("pipeline", photos, *SMALL)
    assert (again["extract"]["computed"], again["extract"]["cached"]) == (0, 30)
    assert again["train"]["cached"]
    assert again["train"]["test_openings"] == 1
    assert again["ingest"]["read"] == 0
    Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(photos / "reddish" / "3.png")
    changed = run_json("pipeline", photos, *SMALL)
    assert (changed["ingest"]["read"], changed["extract"]["computed"]) == (1, 1)
    assert not changed["train"]["cached"]


def test_the_server_shows_what_was_reused_as_cached(run_json, photos):
    for _ in range(2):
        run_json("pipeline", photos, *SMALL)
    run = last_run()

    def states():
        told = {name.split()[0]: state for name, state in task_states(run).items()}
        return (
            told if told.get("report") == "Completed" and "Unknown" not in told.values() else None
        )

    told = eventually(states)
    assert (told["train"], told["ingest"]) == ("Cached", "Completed")
    with get_client(sync_client=True) as client:
        mine = ArtifactFilterFlowRunId(any_=[run.id])
        found = client.read_artifacts(artifact_filter=ArtifactFilter(flow_run_id=mine))
    (text,) = [artifact.data for artifact in found if artifact.key == "heads-photos"]
    address = re.search(r"^Report: .*\((http.*)\)$", text, re.MULTILINE).group(1)
    assert "<!DOCTYPE html>" in httpx.get(address).text


class Planted:
    """What a pickle does that somebody else made."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return Path.touch, (self.marker,)


def test_no_pickle_in_prefects_home_is_loaded(run_json, photos, prefect_environment, tmp_path):
    run_json("pipeline", photos, *SMALL)
    planted, kept = Planted(tmp_path / "it ran"), Path(prefect_environment["PREFECT_HOME"])
    content = base64.encodebytes(pickle.dumps(planted)).decode()
    for result in [path for path in kept.glob("storage/*") if path.is_file()]:
        try:
            record = json.loads(result.read_text())
        except ValueError:  # of a flow that failed: the exception alone
            result.write_text(content)
            continue
        record["metadata"]["serializer"] = {"type": "pickle"}
        result.write_text(json.dumps(record | {"result": content}))
    assert run_json("pipeline", photos, *SMALL)["train"]["cached"]
    assert not planted.marker.exists()


def test_the_report_is_about_this_run_and_its_command_gets_it_again(run_json, photos):
    first = run_json("pipeline", photos, *SMALL)
    (photos / "reddish/3.png").rename(photos / "reddish/renamed.png")
    second = run_json("pipeline", photos, *SMALL, "--rehash", "--batch-size", "7")
    assert first["train"]["run"] == second["train"]["run"]
    page = (photos.parent / second["report"]).read_text()
    assert "file is gone" not in page
    command = html.unescape(re.findall("<pre>(.*?)</pre>", page, re.DOTALL)[0])
    words = shlex.split(command.replace("\\\n", " "))
    assert words[:4] == ["python", "-m", "flows.pipeline", str(photos)]
    again = run_json("pipeline", *words[3:])
    assert again["train"]["run"] == second["train"]["run"]
    assert (again["extract"]["computed"], again["train"]["cached"]) == (0, True)


def test_without_a_test_split_the_report_is_about_validation(run_json, photos):
    summary = run_json("pipeline", photos, *SMALL, "--test-split", "0")
    assert summary["train"]["test_accuracy"] is None
    assert "The data set has no test image" in (photos.parent / summary["report"]).read_text()


def test_every_image_is_accounted_for_once(run_json, photos):
    shutil.copy(photos / "reddish/1.png", photos / "reddish/twin.png")
    (photos / "bluish/cut.png").write_bytes((photos / "bluish/1.png").read_bytes()[:60])
    run_json("ingest", photos, "--dataset", "pets")
    (photos / "bluish/2.png").unlink()

    def extract():
        summary = run_json(
            "extract", "pets", "--image-size", "32", "--tap", "output", "--tap", "block5c_add"
        )
        names = ("images", "cached", "computed", "duplicates")
        return summary, [summary[name] for name in names]

    summary, counted = extract()
    assert counted == [30, 0, 29, 1]
    assert {file["path"] for file in summary["rejected"]} == {"bluish/cut.png", "bluish/2.png"}
    assert len({recipe["fingerprint"] for recipe in summary["recipes"]}) == 2
    assert extract()[1] == [30, 29, 0, 1]


def test_deleting_the_features_recomputes_them_but_not_the_split(run_json, photos):
    before = run_json("pipeline", photos, *SMALL)
    for shard in (photos.parent / "feature-store").glob("features/*/*/*.*"):
        shard.unlink()
    after = run_json("pipeline", photos, *SMALL)
    assert after["extract"]["computed"] == 30
    assert (after["ingest"]["read"], after["train"]["cached"]) == (0, True)
    assert after["ingest"]["counts"] == before["ingest"]["counts"]


def test_deleting_a_run_trains_it_again_and_extracts_nothing(run_json, photos):
    before = run_json("pipeline", photos, *SMALL)
    folder = photos.parent / "feature-store" / "runs" / before["train"]["run"][:16]
    folder.rename(photos.parent / "gone")
    after = run_json("pipeline", photos, *SMALL)
    assert (after["extract"]["computed"], after["train"]["cached"]) == (0, False)
    assert after["train"]["run"] == before["train"]["run"]


def test_a_binary_preset_on_three_classes_fails_before_anything_is_extracted(run, photos):
    (photos / "third").mkdir()
    Image.fromarray(np.full((9, 9, 3), 200, np.uint8)).save(photos / "third" / "1.png")
    code, _, errors = run("pipeline", photos, "--head", "tutorial")
    assert code == 2
    assert errors.count("\n") == 1
    assert "resnet-softmax" in errors
    assert not (photos.parent / "feature-store" / "features").exists()


def test_one_class_can_be_extracted_but_not_trained(run, run_json, photos):
    (photos / "bluish").rename(photos.parent / "elsewhere")
    assert run_json("extract", photos, "--image-size", "32")["computed"] == 15
    code, _, errors = run("train", "photos", "--image-size", "32")
    assert code == 2
    assert "found only 'reddish'" in errors
