"""The page of `review` in a real browser: first screen, scrolling and map of many images."""

import io
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from benchmarks.photos import CLASSES, write_photos
from benchmarks.timing import Finding
from stores.features.store import FeatureStore
from stores.keys import ImageKey
from stores.manifest import Manifest
from stores.manifest_rows import with_columns
from stores.runs.store import RunStore
from tests.stores.runs.test_record import RUN
from tests.support.browser import NAMES, opened_page, until
from tests.support.parts import HISTORY
from tests.support.runs import save_model
from tests.support.samples import RECIPE

_SOURCES, _SIDE, _NUMBERS = 40, 256, 64
_SHOWN = """[...document.querySelectorAll('.tile:not([hidden]) img')]
    .every((one) => one.complete && one.naturalWidth)"""
_DRAWN = "document.querySelector('#plot canvas') && !document.getElementById('said').textContent"
_SELECTED = "document.getElementById('shown').textContent.includes('selected on the map')"
# The longest time between two frames while it is scrolled, by steps of a wheel, and by jumps.
_SCROLL = """([step, count]) => new Promise((done) => {
    const grid = document.getElementById('grid'), gaps = [];
    let last = performance.now(), left = count;
    const frame = (now) => {
        gaps.push(now - last);
        last = now;
        if (!left--) return done(Math.max(...gaps) / 1000);
        grid.scrollTop = step ? grid.scrollTop + step : Math.random() * grid.scrollHeight;
        requestAnimationFrame(frame);
    };
    requestAnimationFrame((now) => { last = now; requestAnimationFrame(frame); });
})"""


def lacking() -> str:
    """Return what is not there to measure with, or an empty text."""
    if not find_spec("playwright") or not find_spec("plotly"):
        return "playwright or plotly is not installed"
    return "" if any(map(shutil.which, NAMES)) else "no browser"


def review(work: Path, *, images: int, rounds: int) -> Iterator[Finding]:
    """Measure a review of so many images; the browser shares the machine with the server."""
    _make(work, images)
    seconds: dict[str, list[float]] = {}
    for _ in range(rounds):
        with _served(work) as address, opened_page() as page:
            for what, value in _visit(page, address):
                seconds.setdefault(what, []).append(value)
    for what, values in seconds.items():
        expected = {"first screen": "≤ 2", "longest gap": "≤ 0.3"}.get(what.partition(",")[0], "")
        yield Finding("Review", f"{images:,} images: {what}", tuple(values), "s", expected)


def _visit(page: Any, address: str) -> Iterator[tuple[str, float]]:  # noqa: ANN401  Playwright's
    began = time.perf_counter()
    page.goto(address)
    page.wait_for_selector(".tile img[src]")
    until(page, _SHOWN)
    yield "first screen, with its pictures", time.perf_counter() - began
    yield "longest gap, scrolling", page.evaluate(_SCROLL, [60, 240])
    yield "longest gap, jumping", page.evaluate(_SCROLL, [0, 60])
    began = time.perf_counter()
    until(page, _SHOWN)
    yield "pictures after a jump", time.perf_counter() - began
    before = page.inner_text("#shown")
    began = time.perf_counter()
    page.select_option("select[name=label]", "0")
    until(page, f"document.getElementById('shown').textContent !== {before!r}")
    until(page, _SHOWN)
    yield "a filter, with its pictures", time.perf_counter() - began
    page.select_option("select[name=label]", "")
    page.click("#showmap")
    began = time.perf_counter()
    until(page, _DRAWN, seconds=300)
    yield "the map, with its features", time.perf_counter() - began
    box = page.locator("#plot .nsewdrag").bounding_box()
    for n, (x, y) in enumerate([(0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8), (0.2, 0.2)]):
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
        if not n:
            page.mouse.down()
    began = time.perf_counter()
    page.mouse.up()
    until(page, _SELECTED, seconds=300)
    yield "selected on the map", time.perf_counter() - began


@contextmanager
def _served(work: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "flows.review", "many", "--no-browser", "--store"]
    with subprocess.Popen(
        [*command, str(work / "store")], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            found = re.search(r"http://\S+", line)
            if not found:
                raise RuntimeError(f"no address in {line!r}")
            yield found[0]
        finally:
            process.terminate()


def _make(work: Path, count: int) -> None:
    """Make a data set of many small photographs, a run that judged all, and features by chance."""
    write_photos(work / "sources", _SOURCES)
    sources = [_small(path) for path in sorted((work / "sources").rglob("*.jpg"))]
    folder, rows = work / "images", []
    for name in CLASSES:
        (folder / name).mkdir(parents=True)
    splits = ("train", "train", "train", "validation", "test")
    for n in range(count):
        content = sources[n % len(sources)] + n.to_bytes(4, "little")  # other bytes, same picture
        label = CLASSES[n % 2]
        path = f"{label}/{n:06}.jpg"
        (folder / path).write_bytes(content)
        rows.append((path, bytes(ImageKey.of(content)), label, splits[n // 2 % 5]))
    rows.sort()
    names = ("path", "key", "label", "split")
    table = pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))
    table = table.append_column("status", pa.array(["accepted"] * count))
    table = table.append_column("reason", pa.array([""] * count))
    for name in ("size", "mtime_ns", "ctime_ns", "inode"):
        table = table.append_column(name, pa.array(np.zeros(count, np.int64)))
    manifest = Manifest(
        "many", str(folder), tuple(sorted(CLASSES)), 0, 0.2, 0.2, 0, with_columns(table)
    )
    manifest.write(work / "store")
    _train(work / "store", manifest)


def _train(store: Path, manifest: Manifest) -> None:
    images, random = manifest.select("train", "validation"), np.random.default_rng(0)
    wrong = random.random(len(images.keys)) < 0.1
    guesses = np.where(wrong, 1 - images.labels, images.labels)
    sure = random.uniform(0.5, 1, len(guesses))
    scores = np.where(guesses[:, None] == np.arange(2), sure[:, None], 1 - sure[:, None])
    names = np.array(manifest.classes)
    predictions = pa.table(
        {
            "key": [key.tobytes() for key in images.keys],
            "split": images.splits,
            "label": names[images.labels].tolist(),
            "predicted": names[guesses].tolist(),
            "scores": scores.tolist(),
        }
    )
    accuracy = {"validation_accuracy": float(1 - wrong.mean())}
    of_many = {"dataset": "many", "classes": manifest.classes, "dataset_digest": manifest.digest}
    run = replace(RUN, **of_many, fingerprint=RECIPE.fingerprint, folds=5, metrics=accuracy)
    runs = RunStore(store)
    runs.publish(run, history=HISTORY, predictions=predictions, save_model=save_model)
    runs.bring_up_to_date()
    keys = manifest.select().keys
    FeatureStore(store, RECIPE).write(keys, random.normal(size=(len(keys), _NUMBERS)).astype("f4"))


def _small(path: Path) -> bytes:
    sink = io.BytesIO()
    with Image.open(path) as image:
        image.thumbnail((_SIDE, _SIDE))
        image.convert("RGB").save(sink, "JPEG", quality=80)
    return sink.getvalue()
