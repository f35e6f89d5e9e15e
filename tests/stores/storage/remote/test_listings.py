from datetime import UTC, datetime

import pytest

from stores.storage.location import Found
from stores.storage.remote.listings import Listings, below, found_of

FILE = Found(1, "stamp", 0.0)


@pytest.fixture
def asked():
    return []


@pytest.fixture
def listings(asked):
    def ask(name):
        asked.append(name)
        return {found: FILE for found in ("a/b", "a/c", "ab") if below(found, name)}

    return Listings(ask)


def test_what_is_below_a_listing_is_not_asked_for(listings, asked):
    assert list(listings.of("")) == ["a/b", "a/c", "ab"]
    assert list(listings.of("a")) == ["a/b", "a/c"]
    assert list(listings.of("a/b")) == ["a/b"]
    assert asked == [""]


def test_an_old_listing_is_asked_for_again(listings, asked, monkeypatch):
    monkeypatch.setattr("stores.storage.remote.listings.FRESH_SECONDS", 0)
    assert listings.of("a") == listings.of("a")
    assert asked == ["a", "a"]


def test_what_is_put_is_known(listings, asked):
    for name in ("", "a"):
        listings.forget()
        listings.of(name)
        listings.add("a/new", 5)
        assert listings.of("a")["a/new"].size == 5
    assert asked == ["", "a"]


def test_what_is_put_while_it_is_asked_for_is_known():
    def ask(_):
        listings.add("new", 5)
        return {}

    listings = Listings(ask)
    for _ in range(2):
        assert list(listings.of("")) == ["new"]


def test_what_is_deleted_while_it_is_asked_for_is_asked_for_again(asked):
    def ask(name):
        asked.append(name)
        listings.forget()
        return {"gone": FILE}

    listings = Listings(ask)
    listings.of("")
    listings.of("")
    assert len(asked) == 2


def test_what_was_taken_in_is_so_until_there_is_a_newer_listing(listings):
    assert not listings.is_taken_in("a")
    listings.of("a")
    assert not listings.is_taken_in("a")
    listings.take_in("a")
    assert listings.is_taken_in("a")
    assert not listings.is_taken_in("a/b")
    listings.forget()
    listings.of("a")
    assert not listings.is_taken_in("a")


@pytest.mark.parametrize(
    ("about", "expected"),
    [
        (
            {"size": 1, "ETag": "x", "LastModified": datetime(1970, 1, 2, tzinfo=UTC)},
            (1, "x", 86400),
        ),
        ({"size": 2, "mtime": 5.0, "created": 1.0}, (2, "5.0", 5.0)),
        ({"size": None}, (0, "0.0", 0.0)),
        (  # as gcsfs has it
            {
                "name": "bucket/x",
                "type": "file",
                "size": 3,
                "etag": "CJ+=",
                "updated": "1970-01-02T00:00:00.000Z",
                "timeCreated": "1970-01-02T00:00:00.000Z",
                "mtime": datetime(1970, 1, 2, tzinfo=UTC),
                "ctime": datetime(1970, 1, 2, tzinfo=UTC),
            },
            (3, "CJ+=", 86400),
        ),
    ],
)
def test_an_object_is_what_matters_of_it(about, expected):
    assert found_of(about) == expected
