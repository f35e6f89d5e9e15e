"""From files to features, against PyTorch with timm and against ONNX Runtime."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.modern_rivals import BFLOAT16, FLOAT32
from benchmarks.ours import Setting, ingest_and_extract
from benchmarks.photos import image_paths, write_photos
from benchmarks.rivals import BATCH_SIZE
from benchmarks.timing import Contender, Finding, in_turn, ratios
from benchmarks.variants import has_bfloat16
from tasks.features.engines import load_engine

# What each is, with its settings, by the precision at which it computes: like against like.
Ways = dict[str, tuple[str, dict[str, Any]]]
_TIMM: Ways = {
    "PyTorch + timm": ("timm", {"compiled": False}),
    "PyTorch + timm, compiled": ("timm", {"compiled": True}),
}
WAYS: dict[str, Ways] = {
    FLOAT32: _TIMM
    | {
        "ONNX Runtime in a loop": ("onnxruntime", {"ahead": False}),
        "ONNX Runtime, images read ahead": ("onnxruntime", {"ahead": True}),
    },
    BFLOAT16: _TIMM,
}
EXPECTED = {FLOAT32: "≥ 1.5", BFLOAT16: ""}


def modern(setting: Setting, *, rounds: int, compiled: bool) -> Iterator[Finding]:
    """Measure new files against each way, and against the best one at the same precision.

    Everybody's network is ready before. What is timed is the way from the files to the features;
    for us with the check of the files, their digests and the store. `compiled` has PyTorch compile
    its networks, too, which takes half a minute each.
    """
    images = len(list(image_paths(setting.folder)))
    backbone, side = setting.request.backbone, setting.request.image_size or 0
    ways = {
        precision: {n: way for n, way in rivals.items() if compiled or not way[1].get("compiled")}
        for precision, rivals in WAYS.items()
        if precision != BFLOAT16 or has_bfloat16()
    }
    few = setting.store.parent / "few for modern rivals"
    if not few.exists():
        write_photos(few, 2 * BATCH_SIZE)
    with ExitStack() as stack:
        contenders: dict[str, Contender] = {}
        for precision, rivals in ways.items():
            ours = setting.asked(precision=precision)
            load_engine(ours.chosen(images))  # converts the model, and keeps it
            contenders[f"gargalo, {precision}"] = Contender(
                partial(ingest_and_extract, ours), partial(_ready, ours, images)
            )
            for name, (way, settings) in rivals.items():
                state = setting.store.parent / f"{name}, {backbone}, {precision}"
                asked = settings | {"backbone": backbone, "side": side, "precision": precision}
                run = stack.enter_context(started(way, state, asked))
                run(few)  # what is compiled, is compiled now
                contenders[f"{name}, {precision}"] = Contender(partial(run, setting.folder))
        seconds = in_turn(contenders, rounds=rounds)
    group = f"Against PyTorch and ONNX Runtime, {backbone} at {side}, {images} new files"
    for precision, rivals in ways.items():
        taken = seconds[f"gargalo, {precision}"]
        theirs = {name: seconds[f"{name}, {precision}"] for name in rivals}
        best = [min(one_round) for one_round in zip(*theirs.values(), strict=True)]
        what = f"{precision}, against the best of each round"
        yield Finding(group, what, ratios(best, taken), "×", EXPECTED[precision])
        for name, their in theirs.items():
            yield Finding(group, f"{precision}, against {name}", ratios(their, taken), "×")
    for name, taken in seconds.items():
        yield Finding(group, f"{name}, alone", tuple(images / one for one in taken), "images/s")


@contextmanager
def started(way: str, state: Path, settings: dict[str, Any]) -> Iterator[Callable[[Path], None]]:
    """Give, in the block, what has a way in a process of its own compute a folder's features."""
    state.mkdir()
    command = [sys.executable, "-m", "benchmarks.modern_rivals", way, str(state)]
    told = state / "told.txt"
    with (
        told.open("w") as errors,
        subprocess.Popen(
            [*command, json.dumps(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        requests, answers = process.stdin, process.stdout
        assert requests is not None
        assert answers is not None

        def run(folder: Path) -> None:
            print(folder, file=requests, flush=True)
            if not answers.readline():
                last = told.read_text().strip().splitlines()[-1:]
                raise RuntimeError(f"{way} with {settings} ended: {''.join(last)}")

        yield run


def _ready(setting: Setting, images: int) -> None:
    """Have new files, and the engine built before the time is taken."""
    setting.forget()
    load_engine(setting.chosen(images))
