"""What a second run costs: nothing changed, one image changed, some added, after a crash."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmarks.ours import Setting, counted_rows, extract
from benchmarks.photos import add, change, copied, image_paths
from benchmarks.rivals import RIVALS, Rival
from benchmarks.timing import Contender, Finding, in_turn, ratios
from tasks.features.engines import load_engine

GROUP = "Again"
OURS = "gargalo"
# A process that dies, as by a power cut, once so many images were computed; its last word is how
# many rows it had asked the engine for.
_DYING = """
import json, os, sys
from dataclasses import replace
from pathlib import Path
import tasks.features.shard_work
from benchmarks.ours import REQUEST, Setting, counted_rows, extract
folder, store, request, shard_size, after = sys.argv[1:]
request = replace(REQUEST, **json.loads(request))
setting = Setting(Path(folder), Path(store), request, shard_size=int(shard_size))
manifest, done = setting.ingest(), 0
with counted_rows(setting.chosen(len(manifest.select().keys))) as requests:
    def advance(images):
        global done
        done += images
        if done >= int(after):
            print(sum(requests), flush=True)
            os._exit(9)
    tasks.features.shard_work.advance = advance
    extract(setting, manifest)
"""


def again(setting: Setting, *, rounds: int) -> Iterator[Finding]:
    """Measure each way's second run in turn; ingest and listing are timed with it."""
    folder, images = setting.folder, len(list(image_paths(setting.folder)))
    ours = replace(
        setting, folder=setting.store.parent / "changing", shard_size=max(1, images // 3)
    )
    rivals = {
        name: kind(ours.job.recipes[0], ours.job.weights, setting.store.parent / "rival")
        for name, kind in RIVALS.items()
    }
    added = max(1, images // 20)
    cases: dict[str, tuple[Callable[[], list[Path]], int]] = {
        "nothing changed": (list, 0),
        "one image changed": (lambda: [change(ours.folder, images // 2)], 1),
        "5% added": (lambda: add(ours.folder, images, added), added),
    }
    for case, (alter, new) in cases.items():
        contenders = {OURS: Contender(partial(_ours, ours), partial(_done, ours, folder, alter))}
        for name, rival in rivals.items():
            contenders[name] = Contender(
                partial(rival.run, ours.folder),
                partial(_rival_done, rival, ours.folder, folder, alter),
            )
        yield from _against(case, contenders, rounds)
        yield _rows(f"{case}: images computed", ours, folder, alter, f"= {new}", rounds)
    half = images // 2
    contenders = {OURS: Contender(partial(_ours, ours), partial(_crashed, ours, folder, half))}
    for name, rival in rivals.items():
        contenders[name] = Contender(
            partial(rival.run, ours.folder),
            partial(_rival_crashed, rival, ours.folder, folder, half),
        )
    yield from _against("a crash half-way, and again", contenders, rounds)
    yield _repeated(ours, folder, images, rounds)


def _against(case: str, contenders: dict[str, Contender], rounds: int) -> Iterator[Finding]:
    seconds = in_turn(contenders, rounds=rounds)
    for name, taken in seconds.items():
        if name != OURS:
            yield Finding(GROUP, f"{case}: against {name}", ratios(taken, seconds[OURS]), "×")
    yield Finding(GROUP, f"{case}: {OURS} alone", tuple(seconds[OURS]), "s")


def _ours(setting: Setting) -> int:
    return extract(setting, setting.ingest())


def _done(setting: Setting, folder: Path, alter: Callable[[], list[Path]]) -> None:
    """Extract all of a fresh copy of the folder, then change the copy."""
    copied(folder, setting.folder)
    setting.forget()
    _ours(setting)
    alter()


def _rival_done(rival: Rival, place: Path, folder: Path, alter: Callable[[], list[Path]]) -> None:
    copied(folder, place)
    rival.forget()
    rival.run(place)
    for path in alter():
        rival.forget_one(path)


def _rows(
    what: str,
    setting: Setting,
    folder: Path,
    alter: Callable[[], list[Path]],
    expected: str,
    rounds: int,
) -> Finding:
    """Count the rows of the engine's own requests, those that are only compared apart."""
    counts = []
    for _ in range(rounds):
        _done(setting, folder, alter)
        engine = load_engine(setting.chosen(1))
        engine.take_checked()
        with counted_rows(setting.chosen(1)) as requests:
            _ours(setting)
        counts.append(float(sum(requests) - engine.take_checked()))
    return Finding(GROUP, what, tuple(counts), "rows", expected, "counted at the engine's requests")


def _crashed(setting: Setting, folder: Path, after: int) -> int:
    """Extract a fresh copy of the folder in a process that dies; return the rows it asked for."""
    copied(folder, setting.folder)
    setting.forget()
    request = json.dumps({"image_size": setting.request.image_size})
    places = [str(setting.folder), str(setting.store)]
    numbers = [str(setting.shard_size), str(after)]
    done = subprocess.run(
        [sys.executable, "-c", _DYING, *places, request, *numbers],
        check=False,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[1],
    )
    assert done.returncode == 9, done.stderr
    return int(done.stdout.splitlines()[-1])


def _rival_crashed(rival: Rival, place: Path, folder: Path, after: int) -> None:
    copied(folder, place)
    rival.forget()
    rival.crash(place, after)


def _repeated(setting: Setting, folder: Path, images: int, rounds: int) -> Finding:
    """Count what is computed twice where an extraction dies half-way and is called again."""
    repeated = []
    for _ in range(rounds):
        asked = _crashed(setting, folder, images // 2)
        with counted_rows(setting.chosen(images)) as requests:
            _ours(setting)
        repeated.append((asked + sum(requests) - images) / setting.shard_size)
    what = "a crash half-way, and again: shards' work repeated"
    return Finding(GROUP, what, tuple(repeated), "shards", "≤ 1")
