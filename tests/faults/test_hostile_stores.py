"""A store that somebody else made to do harm: no link, special file or name in it leads outside.

Kind: what is in a store decides what is opened, changed or deleted elsewhere. Each part of a small
store becomes a link, a FIFO or something else, and every command that is given a store is called.
It may fail, by an error that ends in one line; it ends soon; what lies outside stays as it was, and
is in no result.
"""

import os
import shutil
import signal
import stat

import pytest

from stores.errors import StoreError
from tasks.errors import InputError
from tests.faults.conftest import FULL
from tests.faults.hostile import COMMANDS, SECRET, TUNED, fill, fill_outside
from tests.stores.runs.test_record import RUN
from tests.support.samples import in_child

SECONDS = 5
RUN_FOLDER, TUNING = f"runs/{RUN.id[:16]}", f"checkpoints/{TUNED[:16]}"
PLACES = [
    *("features", "features/*", "features/*/recipe.json", "features/*/shards", "features/*/tmp"),
    *("features/*/shards/*.h5", "features/*/index", "features/*/index/*.parquet"),
    *("features/*/quarantine", "features/*/quarantine/*.h5", "features/*/tmp/left.draft"),
    *("datasets", "datasets/pets", "datasets/pets/manifest.parquet", "datasets/pets/lock"),
    *("runs", "runs/lock", "runs/runs.parquet", "runs/tmp", RUN_FOLDER, f"{RUN_FOLDER}/run.json"),
    *(f"{RUN_FOLDER}/{part}" for part in ("history.parquet", "predictions.parquet", "model")),
    *(f"{RUN_FOLDER}/{part}" for part in ("model/model.txt", "test", "test/*.json")),
    *(f"{RUN_FOLDER}/test/*.parquet", "checkpoints", TUNING, f"{TUNING}/000002"),
    *(f"{TUNING}/000002/state.npz", f"{TUNING}/000002/checkpoint.json", f"{TUNING}/tmp"),
    *("engines", "engines/openvino", "engines/openvino/*f", "engines/openvino/*f/agreement.json"),
    *("layers.json", "tmp"),
]
# Each place becomes a link. A FIFO, and a folder for a file, are tried for some of them, but where
# all of the faults are: what is opened there is refused alike.
CASES = [(place, "link") for place in PLACES]
CASES += [(place, "fifo") for place in (PLACES if FULL else PLACES[::4])]
CASES += [(place, "other") for place in (PLACES if FULL else PLACES[1::8])]


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pristine")
    fill(folder / "hostile")
    fill_outside(folder / "outside")
    return folder


def become(path, kind, outside):
    """Put a link to what is outside, a FIFO, or a folder for a file, in the place of a part."""
    was_folder = path.is_dir()
    shutil.rmtree(path) if was_folder else path.unlink()
    if kind == "link":
        path.symlink_to(outside if was_folder else outside / "id_rsa")
    elif kind == "fifo":
        os.mkfifo(path)
    elif was_folder:
        path.write_bytes(b"")
    else:
        path.mkdir()


def seen(folder):
    """Return what an intruder may change of all that is in a folder."""
    found = {str(path): path.lstat() for path in (folder, *sorted(folder.rglob("*")))}
    return {name: (s.st_mode, s.st_size, s.st_mtime_ns, s.st_ctime_ns) for name, s in found.items()}


def leaks(*stores):
    """Return the files of stores that have what is outside in them."""
    paths = [path for store in stores for path in store.rglob("*")]
    files = [path for path in paths if stat.S_ISREG(path.lstat().st_mode)]
    return [path for path in files if SECRET in path.read_bytes()]


def call_all(pristine, work, place, kind):
    """Call each command on its own hostile store; return what each did that it must not."""
    wrong = {}
    for name, command in COMMANDS.items():
        folder = work / name.replace(" ", "-")
        shutil.copytree(pristine, folder)
        hostile, own, outside = folder / "hostile", folder / "own", folder / "outside"
        before = seen(outside)
        (path,) = hostile.glob(place)
        become(path, kind, outside)
        (work / "at").write_text(name)
        signal.alarm(SECONDS)
        try:
            command(hostile, own)
        except (StoreError, InputError) as error:
            if not str(error):
                wrong[name] = "an error without a message"
        except Exception as error:  # noqa: BLE001  a traceback
            wrong[name] = repr(error)
        signal.alarm(0)
        changed, leaked = set(before.items()) ^ set(seen(outside).items()), leaks(hostile, own)
        if changed or leaked:
            wrong[name] = f"changed: {changed}, read into: {leaked}"
    return wrong


@pytest.mark.parametrize(("place", "kind"), CASES)
def test_no_part_of_a_store_leads_outside(pristine, tmp_path, place, kind):
    try:
        assert in_child(lambda: call_all(pristine, tmp_path, place, kind)) == {}
    except AssertionError as error:
        raise AssertionError(f"{(tmp_path / 'at').read_text()}: {error}") from error
