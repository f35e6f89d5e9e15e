"""A step is a Prefect task within a flow's run, and a plain call without Prefect."""

import errno
import threading

import pytest
from prefect.utilities.annotations import quote

from tasks.errors import InputError
from tasks.execution import steps
from tasks.execution.cancellation import StoppedEarly, stop_if_requested, stopped_with_this
from tasks.execution.steps import Step, is_without_prefect, shown_as_cached, task, without_prefect


@pytest.fixture
def waits(monkeypatch):
    """The seconds that were waited between tries; nobody waits."""
    waited = []
    monkeypatch.setattr(steps.time, "sleep", waited.append)
    return waited


def failing(times, error):
    """Return a step that fails so many times, and then gives the number of its calls."""
    calls = []

    def work():
        calls.append(None)
        if len(calls) <= times:
            raise error
        return len(calls)

    return task(name="work")(work)


def test_without_prefect_a_step_is_its_function_with_its_own_arguments():
    with without_prefect():
        assert task(name="work")(lambda a, *, b: (a, b))(quote([1]), b=quote([2])) == ([1], [2])
        assert is_without_prefect()
    assert not is_without_prefect()


def test_what_was_submitted_runs_in_threads_of_the_same_context():
    with without_prefect(threads=2):
        meet = threading.Barrier(2, timeout=10)
        work = task(name="work")(lambda: (meet.wait(), is_without_prefect())).with_options(name="x")
        futures = [work.submit() for _ in range(2)]
        assert all(future.result()[1] for future in futures)


def test_a_failure_of_input_or_output_is_tried_again_later_and_later(waits):
    with without_prefect():
        assert failing(3, OSError(errno.EIO, "disk"))() == 4
        assert [1 <= waits[0] <= 1.5, 2 <= waits[1] <= 3, 4 <= waits[2] <= 6] == [True] * 3
        with pytest.raises(OSError, match="disk"):
            failing(4, OSError(errno.EIO, "disk"))()


@pytest.mark.parametrize("error", [InputError("x"), PermissionError("x"), ValueError("x")])
def test_a_failure_that_stays_is_raised_at_once(waits, error):
    with without_prefect(), pytest.raises(type(error), match="x"):
        failing(1, error)()
    assert waits == []


def test_an_error_stops_what_was_submitted():
    began, ended = threading.Event(), []

    def work():
        began.set()
        try:
            while True:
                stop_if_requested()
        except StoppedEarly:
            ended.append(True)

    def fail():
        with without_prefect(), stopped_with_this():
            task(name="work")(work).submit()
            began.wait(10)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert ended == [True]


def test_with_other_options_it_is_a_step_still():
    made = task(name="work")(lambda: 1).with_options(task_run_name="another")
    assert isinstance(made, Step)
    assert made.prefect.retries == 3
    assert made.prefect.task_run_name == "another"


@pytest.mark.parametrize("stored", [True, False])
def test_a_task_whose_outcome_is_stored_is_shown_as_cached(stored):
    shown = shown_as_cached(lambda number: number + 1, if_stored=lambda _: stored)
    outcome = shown(1)
    assert (outcome.name, outcome.data) == ("Cached", 2) if stored else outcome == 2
    with without_prefect():
        assert task(name="work")(shown)(1) == 2
