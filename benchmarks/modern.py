"""From files to features, against PyTorch with timm and against ONNX Runtime."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks.int8 import has_nncf
from benchmarks.modern_rivals import BFLOAT16, FLOAT32
from benchmarks.ours import Setting, ingest_and_extract
from benchmarks.photos import image_paths, write_photos
from benchmarks.rivals import BATCH_SIZE
from benchmarks.timing import Contender, Finding, in_turn, ratios
from benchmarks.variants import has_bfloat16
from tasks.features.engines import load_engine
from tasks.quantization.quantize import quantize

OURS, OF_FILE = "gargalo", "gargalo with that ONNX file"
IN_A_LOOP = "ONNX Runtime in a loop"
# What each is, with its settings, by the precision at which it computes: like against like.
Ways = dict[str, tuple[str, dict[str, Any]]]
_TIMM: Ways = {
    "PyTorch + timm": ("timm", {"compiled": False}),
    "PyTorch + timm, compiled": ("timm", {"compiled": True}),
}
WAYS: dict[str, Ways] = {
    FLOAT32: _TIMM
    | {
        IN_A_LOOP: ("onnxruntime", {"ahead": False}),
        "ONNX Runtime, images read ahead": ("onnxruntime", {"ahead": True}),
    },
    BFLOAT16: _TIMM,
}
EXPECTED = {FLOAT32: "≥ 1.5", BFLOAT16: ""}


def modern(setting: Setting, *, rounds: int, compiled: bool) -> Iterator[Finding]:
    """Measure new files against each way, and against the best one at the same precision.

    Everybody's network is ready before. What is timed is the way from the files to the features;
    for us with the check of the files, their digests and the store. `compiled` has PyTorch compile
    its networks, too, which takes half a minute each. We compute the file that ONNX Runtime has,
    too, and at int8, which the network is quantised for, whatever that costs in accuracy.
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
            for name, (way, settings) in rivals.items():
                state = setting.store.parent / f"{name}, {backbone}, {precision}"
                asked = settings | {"backbone": backbone, "side": side, "precision": precision}
                run = stack.enter_context(started(way, state, asked))
                run(few)  # what is compiled, is compiled now
                contenders[f"{name}, {precision}"] = Contender(partial(run, setting.folder))
        stack.enter_context(patch("stores.quantized.MOST_LOST", 100.0))
        for name, ours in _ours(setting, list(ways)).items():
            load_engine(ours.chosen(images))  # converts the model, and keeps it
            contenders[name] = Contender(
                partial(ingest_and_extract, ours), partial(_ready, ours, images)
            )
        seconds = in_turn(contenders, rounds=rounds)
    group = f"Against PyTorch and ONNX Runtime, {backbone} at {side}, {images} new files"
    best: dict[str, list[float]] = {}
    for precision, rivals in ways.items():
        taken = seconds[f"{OURS}, {precision}"]
        theirs = {name: seconds[f"{name}, {precision}"] for name in rivals}
        best[precision] = [min(one_round) for one_round in zip(*theirs.values(), strict=True)]
        what = f"{precision}, against the best of each round"
        yield Finding(group, what, ratios(best[precision], taken), "×", EXPECTED[precision])
        for name, their in theirs.items():
            yield Finding(group, f"{precision}, against {name}", ratios(their, taken), "×")
    for name in (OF_FILE, f"{OURS}, int8"):
        if name in seconds:
            what = f"{name}, against the best at float32"
            yield Finding(group, what, ratios(best[FLOAT32], seconds[name]), "×")
    for name, taken in seconds.items():
        yield Finding(group, f"{name}, alone", tuple(images / one for one in taken), "images/s")


def _ours(setting: Setting, precisions: Sequence[str]) -> dict[str, Setting]:
    """Return our ways by their names: at each precision, at int8 and with ONNX Runtime's file."""
    ways = {f"{OURS}, {each}": setting.asked(precision=each) for each in precisions}
    network = setting.store.parent / f"{IN_A_LOOP}, {setting.request.backbone}, {FLOAT32}"
    network /= "network.onnx"
    description = 'preset = "imagenet"\naspect_ratio = "stretch"\ncrop_fraction = 1\n'
    network.with_name("network.onnx.toml").write_text(description)
    ways[OF_FILE] = setting.asked(backbone=str(network), weights="imagenet")
    if has_nncf():
        asked = setting.asked(precision="int8", dataset="photos")
        quantize(setting.ingest(), asked.request, store=setting.store)
        ways[f"{OURS}, int8"] = asked
    return ways


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
