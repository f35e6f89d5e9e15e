"""What failed is tried again only where a second try can succeed."""

import errno

import pytest
from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.states import Failed

from stores.errors import CorruptStore, StoreFull, StoreReadOnly
from tasks.errors import ExtractionError, InputError, WeightsError
from tasks.extract import extract_shard_task, find_missing_task, plan_shards_task
from tasks.ingest import ingest, ingest_task
from tasks.retrying import CACHED, RETRIED, is_worth_a_retry
from tasks.train import train_task


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


@pytest.mark.parametrize("options", [RETRIED, CACHED])
def test_tries_are_few_and_come_later_and_later(options):
    made = task(**options)(retried)
    assert made.retries == 3
    assert made.retry_delay_seconds == [1, 2, 4]
    assert made.retry_jitter_factor > 0
    assert made.retry_condition_fn is is_worth_a_retry


@pytest.mark.parametrize(
    "made",
    [ingest_task, find_missing_task, plan_shards_task, extract_shard_task],
    ids=lambda made: made.name,
)
def test_the_stores_alone_decide_what_is_computed(made):
    assert made.cache_policy == NO_CACHE
    assert made.persist_result is False
    assert made.retries == 3


def test_a_task_is_the_pure_function():
    assert ingest_task.fn is ingest
    assert train_task.retry_condition_fn is is_worth_a_retry
