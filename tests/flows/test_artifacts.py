import errno

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    ArtifactFilterType,
)

from flows.orchestration import artifacts as server_view
from flows.parameters.features import ExtractParameters
from stores.storage import location
from tests.support.prefect_server import eventually, last_run, task_runs

SMALL = ("--image-size", "32")


def test_a_long_extraction_shows_how_far_it_is(run_json, photos, monkeypatch):
    monkeypatch.setattr(server_view, "LONG_SECONDS", 0.0)
    monkeypatch.setattr(server_view, "SECONDS_BETWEEN", 0.0)
    run_json("extract", photos, *SMALL, "--batch-size", "8")
    with get_client(sync_client=True) as client:
        found = client.read_artifacts(
            artifact_filter=ArtifactFilter(
                flow_run_id=ArtifactFilterFlowRunId(any_=[last_run().id]),
                type=ArtifactFilterType(any_=["progress"]),
            )
        )
    assert [(a.key, a.data) for a in found] == [("progress-extracting-photos", 100.0)]


def test_a_disk_that_fails_twice_costs_two_tries_which_are_shown(run_json, photos, monkeypatch):
    failures = [OSError(errno.EIO, "Input/output error")] * 2
    publish_file = location.publish_file

    def failing(content, final, **options):
        if failures and final.suffix == ".h5":
            raise failures.pop()
        publish_file(content, final, **options)

    monkeypatch.setattr(location, "publish_file", failing)
    assert run_json("extract", photos, *SMALL)["computed"] == 30
    run = last_run()

    def ended():
        tasks = [task for task in task_runs(run) if task.name.startswith("extract ")]
        return tasks if tasks and tasks[0].state and tasks[0].state.is_final() else None

    (shard,) = eventually(ended)
    assert (shard.run_count, shard.state.name) == (3, "Completed")


def test_a_server_that_takes_no_artifact_does_not_fail_a_run(run_json, photos, monkeypatch):
    def refuse(*_, **__):
        raise server_view.httpx.HTTPError("refused")

    monkeypatch.setattr(server_view, "create_table_artifact", refuse)
    assert run_json("extract", photos, *SMALL)["computed"] == 30


def test_a_default_in_a_servers_form_was_not_given(monkeypatch):
    form = ExtractParameters(pooling="max").model_dump()
    assert len(ExtractParameters(**form).explicit) > 10
    monkeypatch.setenv("PREFECT__RUNTIME__DEPLOYMENT__ID", "a deployment's")
    assert ExtractParameters(**form).explicit == {"pooling"}
