"""What failed is tried again only where a second try can succeed."""

import errno
import importlib
import pkgutil

import pytest
from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.states import Failed

import tasks
from stores.errors import CorruptStore, StoreFull, StoreReadOnly
from tasks.datasets.ingest import ingest_as, ingest_task
from tasks.errors import ExtractionError, InputError, WeightsError
from tasks.execution.prefect_tasks import RETRIED, is_worth_a_retry
from tasks.execution.steps import Step
from tasks.training.train import train_task


def retried(error):
    return is_worth_a_retry(None, None, Failed(data=error))


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.EIO, "Input/output error"),
        TimeoutError("the network"),
        ConnectionResetError(),
        FileNotFoundError(errno.ENOENT, "while it was listed"),
    ],
    ids=repr,
)
def test_input_and_output_are_tried_again(error):
    assert retried(error)


@pytest.mark.parametrize(
    "error",
    [
        InputError("a corrupt image"),
        WeightsError("of another architecture"),
        ExtractionError("NaN"),
        StoreFull("no space"),
        StoreReadOnly("no right"),
        PermissionError(errno.EACCES, "Permission denied"),
        CorruptStore("a byte"),
        ValueError("a mistake of ours"),
        MemoryError(),
    ],
    ids=repr,
)
def test_what_would_fail_again_is_not(error):
    assert not retried(error)


def test_tries_are_few_and_come_later_and_later():
    made = task(**RETRIED)(retried)
    assert made.retries == 3
    assert made.retry_delay_seconds == [1, 2, 4]
    assert made.retry_jitter_factor > 0
    assert made.retry_condition_fn is is_worth_a_retry


@pytest.mark.parametrize(
    "step",
    [
        made
        for module in pkgutil.walk_packages(tasks.__path__, "tasks.")
        for made in vars(importlib.import_module(module.name)).values()
        if isinstance(made, Step)
    ],
    ids=lambda step: step.prefect.name,
)
def test_prefect_keeps_no_result_that_it_would_read_again(step):
    made = step.prefect
    # A file of one names the serializer that reads it: a planted one would run as a pickle.
    assert made.cache_policy == NO_CACHE
    assert made.cache_key_fn is None
    assert made.persist_result is False
    assert made.retries == 3


def test_a_task_is_the_pure_function():
    assert ingest_task.fn is ingest_as
    assert train_task.prefect.retry_condition_fn is is_worth_a_retry
