"""The errors of the stores: one family, each also the builtin that it resembles."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class StoreError(Exception):
    """Something about a store is wrong; the message says what, where and the fix."""

    def __str__(self) -> str:
        # KeyError would show the repr of its message, OSError its number.
        return " ".join(str(argument) for argument in self.args)


class NotInStore(StoreError, KeyError):
    """A data set, a recipe or a run that this store does not have."""


class MissingFeatures(StoreError, KeyError):
    """Requested features that were not computed yet, or were damaged and set aside."""


class CorruptStore(StoreError, ValueError):
    """Bytes on disk are not the ones that were written."""


class CorruptShard(CorruptStore):
    """A shard, by its digest, whose file is not the one that was written."""

    def __init__(self, message: str, *, digest: str) -> None:
        super().__init__(message)
        self.digest = digest


class NewerFormat(StoreError, ValueError):
    """A file was written by a newer version of this software."""


def newer_format(what: str, version: object, known: int, *, use: str = "read it") -> NewerFormat:
    """Return the error of a file whose format is newer; `what` says where it is, and what."""
    return NewerFormat(
        f"{what} of format version {version}, this software knows up to {known}; update gargalo "
        f"to {use}"
    )


class UnfitFeatures(StoreError, ValueError):
    """Rows that must not be stored: not finite, of the wrong shape, or too large for float16."""


class DisagreeingProducers(StoreError, ValueError):
    """Other versions of the software give other features than the stored ones."""


class StoreReadOnly(StoreError, PermissionError):
    """The store cannot be written to."""


class StoreRefused(StoreError, PermissionError):
    """The address of a store cannot be used: no bucket, no permission, or no software for it."""


class StoreFull(StoreError, OSError):
    """The disk that holds the store is full, or a quota is used up."""


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn the operating system's refusals to write at `path` into the store's own errors."""
    try:
        yield
    except StoreError:
        raise
    except OSError as error:
        if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
            raise StoreReadOnly(
                f"cannot write {path}: {error.strerror}; give another --store, "
                "or write permission on this one"
            ) from error
        if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
            raise StoreFull(
                f"cannot write {path}: {error.strerror}; what was stored before is intact; "
                "free some space and call again, it goes on from there"
            ) from error
        raise
