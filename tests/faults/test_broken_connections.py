"""Connections that break, at any byte: what was acknowledged is there, and all is right."""

from contextlib import contextmanager, suppress
from dataclasses import replace

import numpy as np
import pytest

from stores import FeatureStore, RunStore
from tests.stores.runs.test_record import RUN
from tests.support.runs import publish
from tests.support.s3_server import CuttingProxy, environment, running_s3
from tests.support.samples import RECIPE, remote_of, some_keys, some_rows

pytestmark = pytest.mark.server

ROWS = 50
# In a request's head, in a body, in the answer. One cut is made good by s3fs, thirty are not.
UP = [("up", count, times) for times in (1, 30) for count in (0, 300, 1_500, 9_000, 15_000)]
DOWN = [("down", count, times) for times in (1, 30) for count in (0, 1, 100, 1_500, 9_000)]


@pytest.fixture(scope="module")
def s3(tmp_path_factory):
    with running_s3(tmp_path_factory.mktemp("s3")) as port:
        yield port


@pytest.fixture
def through(s3, tmp_path, monkeypatch):
    """Return a function that gives a proxy and, through it, a store with an empty cache."""

    @contextmanager
    def through(request):
        proxy = CuttingProxy(s3, request)
        for name, value in environment(proxy.port, tmp_path / request[:3]).items():
            monkeypatch.setenv(name, value)
        yield proxy, FeatureStore(f"s3://bucket/{tmp_path.name}", RECIPE)
        proxy.close()

    return through


def part(number):
    """Return the keys and rows of one shard."""
    return some_keys(ROWS, seed=number), some_rows(ROWS, (64,), seed=number)


def written(proxy, store, places):
    """Write a shard for each place of a cut; return those that were acknowledged."""
    acknowledged = []
    for number, (way, count, times) in enumerate(places):
        proxy.cuts.extend([(way, count)] * times)
        with suppress(OSError):
            store.write(*part(number))
            acknowledged.append(number)
        proxy.cuts.clear()
    return acknowledged


def test_what_is_acknowledged_is_there_and_right(through):
    places = [*UP, *DOWN[:8]]
    with through("PUT /") as (proxy, store):
        acknowledged = written(proxy, store, places)
        assert proxy.done >= len(places)
    assert 0 < len(acknowledged) < len(places)
    with through("nothing") as (_, store):
        for number in range(len(places)):
            keys, rows = part(number)
            there = ~store.missing(keys)
            assert there.all() or number not in acknowledged
            assert np.array_equal(store.read(keys[there]), rows[there])
        store.verify()
        assert not store.missing(np.concatenate([part(n)[0] for n in acknowledged])).any()


def test_what_is_fetched_is_right_or_an_error(through):
    with through("nothing") as (_, store):
        for number in range(len(DOWN)):
            store.write(*part(number))
    read = 0
    with through("GET /bucket/") as (proxy, store):
        for number, (way, count, times) in enumerate(DOWN):
            proxy.cuts.extend([(way, count)] * times)
            with suppress(OSError):
                assert np.array_equal(store.read(part(number)[0]), part(number)[1])
                read += 1
            proxy.cuts.clear()
        assert proxy.done >= len(DOWN)
        assert 0 < read < len(DOWN)
        for number in range(len(DOWN)):
            assert np.array_equal(store.read(part(number)[0]), part(number)[1])
        assert store.verify() == []


def test_of_a_run_all_is_there_or_nothing_is_acknowledged(through):
    # No cut is within a request: of that moto keeps what has come, which S3 does not.
    acknowledged, places = [], [cut for cut in UP if not cut[1]] + DOWN
    with through("PUT /") as (proxy, store):
        runs = RunStore(store.root)
        for number, (way, count, times) in enumerate(places):
            proxy.cuts.extend([(way, count)] * times)
            run = replace(RUN, seed=number)
            with suppress(OSError):
                acknowledged.append(publish(runs, run).id)
            proxy.cuts.clear()
            assert publish(runs, run).id == run.id  # goes on, whatever the first try left there
        assert proxy.done >= len(places)
    with through("nothing") as (_, store):
        assert not any(RunStore(store.root).verify().values())
    assert 0 < len(acknowledged) < len(places)


def test_of_two_that_put_a_file_the_first_is_kept(through, tmp_path):
    (tmp_path / "a").write_bytes(b"a")
    (tmp_path / "b").write_bytes(b"b")
    with through("PUT /") as (proxy, store):
        remote = remote_of(store.root)
        proxy.cuts.append(("down", 0))  # it has come, and its answer is lost
        remote.put_first(tmp_path / "a", (store.root / "x").path)
        assert not remote.put_first(tmp_path / "b", (store.root / "x").path)
        assert remote.content(remote.name((store.root / "x").path)) == b"a"
