"""Photographs of 12 megapixels, where decoding is nearly all, and what of it cannot be saved."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import tensorflow as tf

from benchmarks.ours import Setting, ingest_and_extract
from benchmarks.photos import image_paths, write_photos
from benchmarks.rivals import Untuned
from benchmarks.timing import Contender, Finding, in_turn, ratios
from tasks.features.engines import load_engine
from tasks.features.request import BATCH_SIZE

GROUP = "Photographs of 12 megapixels"
OURS = {"--decode exact": "≥ 2", "--decode fast": "≥ 5"}


def large_photos(setting: Setting, *, rounds: int) -> Iterator[Finding]:
    """Measure new files, checked, decoded and computed, against Keras's own data set.

    `entropy decoding` stands for the part of any JPEG decoder that has to read all data: at an
    eighth of the size little else is left. What is above it is what can still be won.
    """
    paths = list(image_paths(setting.folder))
    recipes = {"--decode exact": setting, "--decode fast": setting.asked(decode="fast")}
    for chosen in recipes.values():
        load_engine(chosen.chosen(len(paths)))
    job = setting.chosen(len(paths))
    rival = Untuned(job.recipes[0], job.weights, setting.store.parent / "rival of large ones")
    few = setting.store.parent / "few for large ones"
    write_photos(few, 2 * BATCH_SIZE)
    rival.forget()
    rival.run(few)  # TensorFlow traces

    contenders = {
        "predict": Contender(partial(rival.run, setting.folder), rival.forget),
        "full": Contender(lambda: _all([str(path) for path in paths], _full)),
        "entropy": Contender(lambda: _all([str(path) for path in paths], _eighth)),
    }
    for name, chosen in recipes.items():
        contenders[name] = Contender(partial(ingest_and_extract, chosen), chosen.forget)
    seconds = in_turn(contenders, rounds=rounds)
    against = "a without tf.data's tuner"
    for name, expected in OURS.items():
        times = ratios(seconds["predict"], seconds[name])
        yield Finding(GROUP, f"{name} against {against}", times, "×", expected)
    share = ratios(seconds["entropy"], seconds["full"])
    yield Finding(GROUP, "entropy decoding, of decoding alone", share, "×")
    limit = ratios(seconds["predict"], seconds["entropy"])
    yield Finding(GROUP, f"the limit by entropy decoding against {against}", limit, "×")
    for name, taken in seconds.items():
        rates = tuple(len(paths) / one for one in taken)
        yield Finding(GROUP, f"{name} alone", rates, "images/s")


def _all(paths: list[str], decode: Callable[[str], object]) -> None:
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for _ in pool.map(decode, paths):
            pass


def _full(path: str) -> object:
    return tf.io.decode_jpeg(tf.io.read_file(path), channels=3).shape


def _eighth(path: str) -> object:
    return tf.io.decode_jpeg(tf.io.read_file(path), channels=3, ratio=8).shape
