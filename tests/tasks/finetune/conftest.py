import pytest

from tests.support.tuning import start


@pytest.fixture
def started(tiny, tmp_path, store):
    started = start(tmp_path / "pets", store, epochs=5)
    tiny.read_diary()
    return started
