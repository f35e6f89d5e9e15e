import errno

import pytest

from stores import StoreError, StoreFull, StoreReadOnly, StoreRefused
from stores.storage.remote.errors import reached

ADDRESS = "s3://bucket/store"


class NoCredentialsError(Exception):
    """As botocore's, which is no OSError."""


def outcome(error, *, writing=False):
    """Return what an error on the way to an address becomes."""
    with (
        pytest.raises((StoreError, OSError)) as caught,
        reached(ADDRESS, "bucket/x", writing=writing),
    ):
        raise error
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("error", "kind", "part"),
    [
        (FileNotFoundError("The specified bucket does not exist"), StoreRefused, "no such bucket"),
        (FileNotFoundError(errno.ENOENT, "no such bucket", "b"), StoreRefused, "no such bucket"),
        (PermissionError("AKID is unknown"), StoreRefused, "AWS_ACCESS_KEY_ID"),
        (NoCredentialsError("none"), StoreRefused, "no credentials"),
        (ImportError("Install s3fs"), StoreRefused, r"pip install 'gargalo\[s3\]'"),
        (ValueError("Invalid\nbucket name"), StoreRefused, "Invalid bucket name"),
        (OSError("cut off"), OSError, "bucket/x.*cut off"),
        (RuntimeError("no route"), OSError, "cannot be reached: no route"),
        (TimeoutError(), OSError, "TimeoutError"),
    ],
)
def test_what_goes_wrong_says_where_and_the_way_out(error, kind, part):
    found = outcome(error)
    assert type(found) is kind
    with pytest.raises(kind, match=f"{ADDRESS}.*{part}"):
        raise found


def test_a_refusal_to_write_is_that_of_a_read_only_store():
    assert isinstance(outcome(PermissionError("no"), writing=True), StoreReadOnly)


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError("bucket/x"),
        FileNotFoundError("The specified key does not exist: bucket/x"),
        OSError(errno.ENOSPC, "full", "/cache/draft"),
        OSError(errno.ENOSPC, "full"),  # as a write says it
        OSError(errno.EDQUOT, "full"),
        PermissionError(errno.EACCES, "no", "/cache/draft"),
        StoreFull("full"),
    ],
)
def test_what_concerns_this_machine_stays_as_it_is(error):
    assert outcome(error) is error


@pytest.mark.parametrize("kind", [OSError, RuntimeError, ValueError, PermissionError])
def test_no_secret_is_repeated(kind):
    error = kind("http://user:secret@host/bucket?X-Amz-Credential=secret&Signature=secret failed")
    assert "secret" not in str(outcome(error))
    assert "secret" not in str(outcome(kind("s3://key:a/secret@1/secret@bucket failed")))
