"""What is loaded while a temporary server starts is what the flow needs, and nothing else."""

import sys

import pytest
from PIL import Image
from prefect.settings import PREFECT_API_URL, PREFECT_HOME, temporary_settings

import gargalo
from flows.cli.work import advise_work, extract_work, finetune_work, ingest_work
from flows.parameters.datasets import IngestParameters
from flows.parameters.features import AdviseParameters, ExtractParameters
from flows.parameters.finetune import FinetuneParameters
from flows.pipeline import PipelineParameters, pipeline_work
from tasks.datasets.seen_folder import IngestRequest, see
from tasks.features.engines.choice import choose_engine
from tests.support.flows import loaded_by

SMALL = {"image_size": 32, "backbone": "lenet5", "weights": "none"}
FLAGS = ("--image-size", 32, "--backbone", "lenet5", "--weights", "none")


@pytest.fixture
def loaded(monkeypatch):
    """The jobs whose engine was loaded."""
    jobs = []
    monkeypatch.setattr("flows.cli.work.load_engine", jobs.append)
    return jobs


def test_the_engine_is_loaded_that_the_flow_takes(run_json, photos, loaded, tmp_path):
    parameters = ExtractParameters(store=tmp_path / "feature-store", **SMALL)
    loaded_by(extract_work, str(photos), parameters=parameters)
    (job,) = loaded
    extracted = run_json("extract", photos, *FLAGS)
    assert job.engine == extracted["engine"]
    assert [recipe.fingerprint for recipe in job.recipes] == [extracted["fingerprint"]]


def test_a_flow_takes_the_engine_that_was_loaded_for_it(photos, loaded, tmp_path, monkeypatch):
    """The kind: what is warmed up is not what is used, and is built twice."""
    monkeypatch.chdir(tmp_path)
    parameters = ExtractParameters(store="feature-store", **SMALL)  # as it is by default
    loaded_by(extract_work, str(photos), parameters=parameters)

    def compute(_manifest, files, job, **_):
        raise LookupError(choose_engine(job, len(files)))

    monkeypatch.setattr("flows.stages.read_and_compute.compute_new", compute)
    with pytest.raises(LookupError) as reached:
        gargalo.extract(photos, store="feature-store", **SMALL)
    assert list(reached.value.args) == loaded


def test_nothing_is_loaded_where_nothing_is_to_be_computed(run_json, photos, loaded, tmp_path):
    run_json("extract", photos, *FLAGS)
    parameters = ExtractParameters(store=tmp_path / "feature-store", **SMALL)
    for source in (str(photos), "photos", "unknown"):
        assert not loaded_by(extract_work, source, parameters=parameters)
    assert loaded_by(pipeline_work, photos, parameters=PipelineParameters(**dict(parameters)))
    assert not loaded  # though heads are to be trained
    Image.new("RGB", (9, 9)).save(photos / "bluish" / "new.png")
    loaded_by(extract_work, str(photos), parameters=parameters)
    loaded_by(extract_work, "photos", parameters=parameters.model_copy(update={"pooling": "max"}))
    assert [job.recipes[0].pooling for job in loaded] == ["avg", "max"]


def test_for_advice_the_engine_of_its_taps_is_loaded_once(run_json, photos, loaded, tmp_path):
    parameters = AdviseParameters(store=tmp_path / "feature-store", image_size=32)
    loaded_by(advise_work, str(photos), parameters=parameters)
    (job,) = loaded
    told = run_json("advise", photos, "--image-size", 32)["extract"]["recipes"]
    assert [recipe.fingerprint for recipe in job.recipes] == [one["fingerprint"] for one in told]
    loaded_by(
        advise_work, "photos", parameters=parameters
    )  # of the test split there is still no feature
    assert len(loaded) == 1


def test_keras_is_imported_where_something_is_to_be_learned(
    run_json, photos, tmp_path, monkeypatch
):
    start = run_json("pipeline", photos, *FLAGS, "--head", "dense")["train"]["run"]
    asked = {"store": tmp_path / "feature-store", "strategy": "partial", "epochs": 1}
    for known in (False, True):
        monkeypatch.delitem(sys.modules, "tasks.finetune.loop", raising=False)
        loaded_by(finetune_work, start, parameters=FinetuneParameters(**asked))
        assert ("tasks.finetune.loop" in sys.modules) is not known
        run_json("finetune", start, "--strategy", "partial", "--epochs", "1")


def test_files_that_ingest_will_read_are_counted(run_json, photos, tmp_path):
    store = tmp_path / "feature-store"
    assert len(see(IngestRequest(folder=photos, store=store)).unread()) == 30
    assert run_json("ingest", photos)["read"] == 30
    assert len(see(IngestRequest(folder=photos, store=store)).unread()) in {
        0,
        30,
    }  # 30 while they are as young as the list
    loaded_by(ingest_work, photos, parameters=IngestParameters(store=store))
    assert len(see(IngestRequest(folder=photos, store=store, rehash=True)).unread()) == 30


def test_a_command_that_finds_everything_there_needs_no_server(run, run_json, photos, tmp_path):
    """The kind: ten seconds for a server that records that there was nothing to do."""
    trained = run_json("pipeline", photos, *FLAGS, "--head", "dense", "--head", "ridge")["train"]
    no_home = tmp_path / "photos" / "bluish" / "1.png" / "home"
    commands = [
        ("extract", "photos", *FLAGS),
        ("train", "photos", *FLAGS, "--head", "ridge", "--head", "dense", "--open-test"),
        ("pipeline", photos, *FLAGS, "--head", "dense", "--head", "ridge"),
        ("finetune", trained["run"], "--strategy", "features"),
    ]
    with temporary_settings({PREFECT_HOME: no_home, PREFECT_API_URL: None}):
        for command in commands:
            code, _, errors = run(*command)
            assert (code, errors) == (0, ""), (command, errors)
        code, _, errors = run("train", "photos", *FLAGS, "--head", "svm")
    assert code == 2
    assert "where Prefect keeps its state" in errors  # there was work
