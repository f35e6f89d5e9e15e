"""What goes wrong on the way to an address, in the stores' own errors."""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager

from stores.errors import StoreError, StoreReadOnly, StoreRefused

# The servers' words, and those of stores.storage.remote.objects: the name of what is not there may
# hold "bucket" too.
_NO_BUCKET = re.compile("no such bucket|bucket does not exist|NoSuchBucket", re.IGNORECASE)


@contextmanager
def reached(address: str, what: str, *, writing: bool = False) -> Iterator[None]:
    """Turn what the software for an address raises while `what` is read or written.

    Raises StoreRefused where nothing can be mended by a second try, and StoreReadOnly where that is
    about writing; FileNotFoundError; an OSError about this machine's disk as it is; or another
    OSError, which is worth a second try. None repeats what the server said of credentials.
    """
    where = f"{address} ({what})" if what != address else what
    try:
        yield
    except StoreError:
        raise
    except ImportError:
        raise StoreRefused(
            f"{address}: the software for such an address is not installed: "
            f"pip install '{_package(address)}'"
        ) from None
    except FileNotFoundError as error:
        if not _NO_BUCKET.search(str(error)):
            raise
        raise StoreRefused(
            f"{address}: there is no such bucket; make it, or give another --store"
        ) from None
    except OSError as error:
        if error.filename or error.errno in {errno.ENOSPC, errno.EDQUOT}:  # of this machine
            raise
        if isinstance(error, PermissionError):
            raise _refusal(where, writing=writing) from None
        raise OSError(f"{where}: {_one_line(error)}") from None  # a server is shown the cause
    except Exception as error:  # noqa: BLE001  botocore's and aiohttp's own are no OSErrors
        raise _of_software(error, where) from None


def _of_software(error: Exception, where: str) -> Exception:
    name = type(error).__name__
    if re.search("Credential|Token|Profile", name):
        return _refusal(where, writing=False)
    if isinstance(error, ValueError) or "Validation" in name:
        return StoreRefused(f"{where}: {_one_line(error)}; give another --store")
    return OSError(f"{where} cannot be reached: {_one_line(error)}")


def _refusal(where: str, *, writing: bool) -> StoreRefused | StoreReadOnly:
    # Not a word of what the server said: it may repeat what it was given.
    fix = "give credentials that may, in the environment (AWS_ACCESS_KEY_ID, …) or AWS's files"
    if writing:
        return StoreReadOnly(f"cannot write {where}: permission refused; {fix}")
    return StoreRefused(f"{where}: permission refused, or no credentials; {fix}")


def _package(address: str) -> str:
    protocol = address.partition("://")[0]
    return "gargalo[s3]" if protocol in {"s3", "s3a"} else f"fsspec[{protocol}]"


def _one_line(error: Exception) -> str:
    """Return what is wrong on one line, without what may be secret in the addresses it names."""
    text = re.sub(r"(?<=://)\S*@|\?[^\s\"']*", "", str(error))
    return " ".join(text.split()) or type(error).__name__
