"""Millions of rows: a synthetic manifest, the listing of a folder, and the memory it takes."""

import json
import os
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.memory import peak_bytes, peak_of_command
from benchmarks.timing import Contender, Finding, in_turn
from stores.keys import as_arrow
from stores.manifest import Manifest
from stores.manifest_rows import STAMP, with_columns
from tasks.datasets.folder_layout import Layout
from tasks.datasets.folder_listing import Listing, list_folder
from tasks.datasets.known_files import is_up_to_date
from tasks.datasets.splits import split_rows
from tasks.images.image_check import EXAMINATION

GROUP = "Millions of rows"
CLASSES = 100
NAME = "synthetic"
_LISTED_NS = 1_700_000_000_000_000_000
_OF_TEN = 10  # parts, of which one is new
_MILLIONS = 10_000_000  # files, for which a listing's time is told
_CODE = "import sys; from benchmarks.rows import measured; measured(sys.argv[1])"
_ONE_LAYER = ["--backbone", "lenet5", "--tap", "c1", "--image-size", "16", "--weights", "none"]
# What is measured of a manifest, with the seconds that are allowed at ten million rows.
_LIMITS = {
    "read": "≤ 5",
    "select": "≤ 5",
    "digest": "≤ 5",
    "counts and summary": "≤ 5",
    "nothing changed": "≤ 20",
    "a tenth of the images is new: split": "",
}


def manifests(store: Path, *, rows: int, rounds: int) -> Iterator[Finding]:
    """Write a synthetic manifest, and measure what is asked of it, in a process of its own."""
    synthetic(rows).write(store)
    told = [_in_a_child(store) for _ in range(rounds)]
    for name, expected in _LIMITS.items():
        seconds = tuple(each[name]["seconds"] for each in told)
        cpu = min(each[name]["cpu"] for each in told)
        remark = f"{cpu:.1f} s of a core"
        yield Finding(GROUP, f"{rows:,} rows: {name}", seconds, "s", expected, remark)
    peak = tuple(each["read"]["peak"] / 1e9 for each in told)
    yield Finding(GROUP, f"{rows:,} rows: peak memory of reading them", peak, "GB", "≤ 3")


def listing(folder: Path, *, files: int, rounds: int) -> Iterator[Finding]:
    """Time our listing of a folder beside the file system's own: each file's name and state."""
    write_tiny(folder, files)
    ways = {"ours": lambda: list_folder(folder), "file system": lambda: _stamps(folder)}
    seconds = in_turn({name: Contender(way) for name, way in ways.items()}, rounds=rounds)
    beside = (ours - own for ours, own in zip(*seconds.values(), strict=True))
    values = tuple(each * _MILLIONS / files for each in beside)
    what = f"a folder of {files:,} files listed, beside the file system's own time, for 10 million"
    yield Finding(GROUP, what, values, "s", "≤ 20")


def extractions(work: Path, *, few: int, many: int) -> Iterator[Finding]:
    """Compare the memory of `flows.extract FOLDER`, by one layer, for few and many tiny images."""
    peaks = []
    for files in (few, many):
        folder = work / str(files)
        write_tiny(folder, files)
        peaks.append(peak_of_command(folder, "--store", work / f"store {files}", *_ONE_LAYER))
    remark = " and ".join(f"{peak / 2**30:.2f}" for peak in peaks)
    what = f"peak for {many:,} new tiny images by one layer, in units of that for {few:,}"
    yield Finding(GROUP, what, (peaks[1] / peaks[0],), "×", "≤ 1.1", f"{remark} GiB")
    more = (peaks[1] - peaks[0]) / (many - few)
    remark = "a row of the manifest has about 110"
    yield Finding(GROUP, "memory for each of the images more", (more,), "bytes", "", remark)


def synthetic(rows: int) -> Manifest:
    """Return a manifest of so many rows of random keys, in CLASSES classes, split at random."""
    random, numbers = np.random.default_rng(0), np.arange(rows)
    names = [f"class{n:03}" for n in range(CLASSES)]
    classes = numbers * CLASSES // max(rows, 1)
    times = pa.array(_LISTED_NS - 10**15 + numbers)
    splits = random.choice(3, rows, p=(0.64, 0.16, 0.2))
    columns = {
        "path": pa.array(f"class{c:03}/{n:08}.jpg" for c, n in zip(classes, numbers, strict=True)),
        "key": as_arrow(random.integers(0, 256, (rows, 32), np.uint8)),
        "label": pa.array(names).take(pa.array(classes)),
        "split": pa.array(["train", "validation", "test"]).take(pa.array(splits)),
        "status": pa.repeat("accepted", rows),
        "reason": pa.repeat("", rows),
        "size": pa.array(random.integers(1000, 90_000, rows)),
        "mtime_ns": times,
        "ctime_ns": times,
        "inode": pa.array(numbers.astype(np.uint64)),
    }
    return Manifest(
        NAME,
        "/nowhere",
        tuple(names),
        0,
        0.2,
        0.2,
        listed_ns=_LISTED_NS,
        rows=with_columns(pa.table(columns)),
        examination=EXAMINATION,
    )


def write_tiny(folder: Path, count: int) -> None:
    """Write PNG images of one pixel, each of another color, into folders of two classes."""
    for n in range(count):
        name = "ab"[n % 2]
        place = folder / name / f"{name}{n // 2 // 10_000:04}"  # alike, they would be splits
        if n % 20_000 < 2:
            place.mkdir(parents=True, exist_ok=True)
        (place / f"{n:08}.png").write_bytes(_pixel(n))


def _pixel(color: int) -> bytes:
    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    content = zlib.compress(b"\0" + color.to_bytes(3, "big"))
    parts = ((b"IHDR", header), (b"IDAT", content), (b"IEND", b""))
    chunks = (
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _stamps(folder: Path) -> None:
    for parent, _, names in os.walk(folder):
        for name in names:
            os.stat(f"{parent}/{name}")  # noqa: PTH116


def _in_a_child(store: Path) -> dict[str, dict[str, float]]:
    done = subprocess.run(
        [sys.executable, "-c", _CODE, str(store)],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[1],
    )
    told: dict[str, dict[str, float]] = json.loads(done.stdout.splitlines()[-1])
    return told


def measured(store: str) -> None:
    """Print, as JSON, the seconds and the peak memory so far of what is asked of a manifest."""
    told: dict[str, dict[str, float]] = {}

    def timed(name: str, work: Callable[[], Any]) -> Any:  # noqa: ANN401
        began, cpu = time.perf_counter(), time.process_time()
        result = work()
        seconds = {"seconds": time.perf_counter() - began, "cpu": time.process_time() - cpu}
        told[name] = seconds | {"peak": float(peak_bytes())}
        return result

    manifest = timed("read", lambda: Manifest.read(store, NAME))
    timed("select", manifest.select)
    timed("digest", lambda: manifest.digest)
    timed("counts and summary", lambda: (manifest.counts(), manifest.summary()))
    found = _listing_of(Manifest.read(store, NAME))  # its own memory, as a listing has
    if not timed("nothing changed", lambda: is_up_to_date(manifest, found)):
        raise AssertionError("the synthetic listing is not that of the manifest")
    new = len(manifest.rows) // _OF_TEN
    known = replace(manifest, rows=manifest.rows.slice(new))
    bare = manifest.rows.set_column(3, "split", pa.nulls(len(manifest.rows), pa.string()))
    timed("a tenth of the images is new: split", lambda: split_rows(manifest, bare, known))
    print(json.dumps(told))  # noqa: T201  for the process that reads it


def _listing_of(manifest: Manifest) -> Listing:
    """Return the listing of a folder whose files are as the manifest has them."""
    rows, count = manifest.rows, len(manifest.rows)
    columns = {name: rows[name] for name in ("path", "label", *STAMP, "group", "time")} | {
        "split": pa.nulls(count, pa.string()),
        "trouble": pa.repeat("", count),
        "is_image": pa.repeat(True, count),  # noqa: FBT003
    }
    return Listing(Path("/nowhere"), pa.table(columns), Layout({"": None}, manifest.classes), ())
