"""What is loaded while a temporary server starts is what the flow needs, and nothing else."""

import sys

import pytest
from PIL import Image

import gargalo
from flows.cli.warm_up import warm_up_advise, warm_up_extract, warm_up_finetune, warm_up_ingest
from flows.parameters.datasets import IngestParameters
from flows.parameters.features import AdviseParameters, ExtractParameters
from flows.parameters.finetune import FinetuneParameters
from flows.pipeline import PipelineParameters, warm_up_pipeline
from tasks.datasets.seen_folder import IngestRequest, see
from tasks.features.engines.choice import choose_engine

SMALL = {"image_size": 32, "backbone": "lenet5", "weights": "none"}
FLAGS = ("--image-size", 32, "--backbone", "lenet5", "--weights", "none")


@pytest.fixture
def loaded(monkeypatch):
    """The jobs whose engine was loaded."""
    jobs = []
    monkeypatch.setattr("flows.cli.warm_up.load_engine", jobs.append)
    return jobs


def test_the_engine_is_loaded_that_the_flow_takes(run_json, photos, loaded, tmp_path):
    parameters = ExtractParameters(store=tmp_path / "feature-store", **SMALL)
    warm_up_extract(str(photos), parameters=parameters)
    (job,) = loaded
    extracted = run_json("extract", photos, *FLAGS)
    assert job.engine == extracted["engine"]
    assert [recipe.fingerprint for recipe in job.recipes] == [extracted["fingerprint"]]


def test_a_flow_takes_the_engine_that_was_loaded_for_it(photos, loaded, tmp_path, monkeypatch):
    """The kind: what is warmed up is not what is used, and is built twice."""
    monkeypatch.chdir(tmp_path)
    parameters = ExtractParameters(store="feature-store", **SMALL)  # as it is by default
    warm_up_extract(str(photos), parameters=parameters)

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
        warm_up_extract(source, parameters=parameters)
    warm_up_pipeline(photos, parameters=PipelineParameters(**dict(parameters)))
    assert not loaded
    Image.new("RGB", (9, 9)).save(photos / "bluish" / "new.png")
    warm_up_extract(str(photos), parameters=parameters)
    warm_up_extract("photos", parameters=parameters.model_copy(update={"pooling": "max"}))
    assert [job.recipes[0].pooling for job in loaded] == ["avg", "max"]


def test_for_advice_the_engine_of_its_taps_is_loaded_once(run_json, photos, loaded, tmp_path):
    parameters = AdviseParameters(store=tmp_path / "feature-store", image_size=32)
    warm_up_advise(str(photos), parameters=parameters)
    (job,) = loaded
    told = run_json("advise", photos, "--image-size", 32)["extract"]["recipes"]
    assert [recipe.fingerprint for recipe in job.recipes] == [one["fingerprint"] for one in told]
    warm_up_advise("photos", parameters=parameters)  # of the test split there is still no feature
    assert len(loaded) == 1


def test_keras_is_imported_where_something_is_to_be_learned(
    run_json, photos, tmp_path, monkeypatch
):
    start = run_json("pipeline", photos, *FLAGS, "--head", "dense")["train"]["run"]
    asked = {"store": tmp_path / "feature-store", "strategy": "partial", "epochs": 1}
    for known in (False, True):
        monkeypatch.delitem(sys.modules, "tasks.finetune.loop", raising=False)
        warm_up_finetune(start, parameters=FinetuneParameters(**asked))
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
    warm_up_ingest(photos, parameters=IngestParameters(store=store))
    assert len(see(IngestRequest(folder=photos, store=store, rehash=True)).unread()) == 30
