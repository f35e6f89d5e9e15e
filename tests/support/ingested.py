"""What became of a folder that was ingested, or how it was refused."""

import pytest

from tasks.datasets.ingest import ingest
from tasks.errors import InputError
from tests.support.entries import entries_of


def by_path(manifest):
    return {e.path: e for e in entries_of(manifest) if e.status != "absent"}


def split_of_keys(manifest):
    return {e.key: e.split for e in entries_of(manifest) if e.key}


def refusal(folder, store, **options):
    with pytest.raises(InputError) as error:
        ingest(folder, store=store, **options)
    assert "\n" not in str(error.value).replace(str(folder), "")
    return str(error.value)
