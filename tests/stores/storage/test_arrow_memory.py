import pyarrow as pa
import pytest

from stores.storage.arrow_memory import use_small_pages

needs_jemalloc = pytest.mark.skipif(
    not {"jemalloc", "mimalloc"} <= {*pa.supported_memory_backends()},
    reason="this Arrow has one of the allocators only",
)


@pytest.fixture
def mimalloc(monkeypatch):
    monkeypatch.delenv("ARROW_DEFAULT_MEMORY_POOL", raising=False)
    before = pa.default_memory_pool()
    pa.set_memory_pool(pa.mimalloc_memory_pool())
    yield
    pa.set_memory_pool(before)


@needs_jemalloc
def test_arrows_own_choice_is_changed(mimalloc):
    use_small_pages()
    assert pa.default_memory_pool().backend_name == "jemalloc"


@needs_jemalloc
def test_the_users_choice_is_kept(mimalloc, monkeypatch):
    monkeypatch.setenv("ARROW_DEFAULT_MEMORY_POOL", "mimalloc")
    use_small_pages()
    assert pa.default_memory_pool().backend_name == "mimalloc"


@needs_jemalloc
def test_the_programs_choice_is_kept(mimalloc):
    pa.set_memory_pool(pa.system_memory_pool())
    use_small_pages()
    assert pa.default_memory_pool().backend_name == "system"
