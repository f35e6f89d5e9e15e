"""int8 beside float32 and bfloat16, in turn in one run: whole extractions, and the accuracy."""

from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec
from unittest.mock import patch

from benchmarks.ours import Setting, extract
from benchmarks.photos import PHOTOGRAPHS
from benchmarks.timing import Contender, Finding, in_turn, ratios
from benchmarks.variants import has_bfloat16, ready
from stores.features.store import FeatureStore
from stores.manifest import Manifest
from tasks.datasets.folds import LEARNED_FROM
from tasks.quantization.gate import accuracy_by_folds
from tasks.quantization.quantize import quantize

# Keras's ImageNet weights, but for the last blocks; only to measure with.
MOBILENET = PHOTOGRAPHS.parent / "mobilenet_v2_160_notop.weights.h5"
MOST_LOST = "≥ -0.5"  # points


def has_nncf() -> bool:
    """Whether the extra `int8` is installed."""
    return find_spec("nncf") is not None


def with_weights(setting: Setting) -> Setting:
    """Return a setting of MobileNetV2 with its pretrained weights, where they are."""
    return setting.asked(weights=str(MOBILENET)) if MOBILENET.exists() else setting


def int8(setting: Setting, *, rounds: int, expected: str) -> Iterator[Finding]:
    """Measure whole extractions at each precision, the engine being ready, and the accuracy.

    What the gate would refuse is measured all the same: untrained weights tell nothing of accuracy.
    """
    manifest = setting.ingest()
    images = len(manifest.select().keys)
    precisions = ["float32", *(["bfloat16"] if has_bfloat16() else []), "int8"]
    settings = {name: setting.asked(precision=name, dataset=manifest.name) for name in precisions}
    with patch("stores.quantized.MOST_LOST", 100.0):
        gate = quantize(manifest, settings["int8"].request, store=setting.store).gate
        accuracies = {name: _accuracy(chosen, manifest) for name, chosen in settings.items()}
        contenders = {
            name: Contender(partial(extract, chosen, manifest), partial(ready, chosen, images))
            for name, chosen in settings.items()
        }
        seconds = in_turn(contenders, rounds=rounds)
    about = setting.request
    group = f"int8, {about.backbone} at {about.image_size}"
    yield Finding(
        group, "against float32", ratios(seconds["float32"], seconds["int8"]), "×", expected
    )
    if "bfloat16" in seconds:
        against = ratios(seconds["bfloat16"], seconds["int8"])
        yield Finding(group, "against bfloat16", against, "×")
    forward = (gate.speed / gate.speed_at_float32,)
    yield Finding(group, "forward pass against float32, as the gate measured it", forward, "×")
    for name, taken in seconds.items():
        yield Finding(group, f"{name} alone", tuple(images / s for s in taken), "images/s")
    if about.weights == "none":
        return
    whole = 100 * accuracies["float32"]
    for name in precisions[1:]:
        lost = 100 * accuracies[name] - whole
        remark = f"logistic head by 5 folds, beside {whole:.2f}%"
        yield Finding(group, f"accuracy at {name}", (lost,), "points", MOST_LOST, remark)


def _accuracy(setting: Setting, manifest: Manifest) -> float:
    """Extract, which converts a model and keeps it; return the accuracy of the features."""
    extract(setting, manifest)
    images = manifest.select(*LEARNED_FROM)
    rows = FeatureStore(setting.store, setting.job.recipes[0]).read(images.keys)
    return accuracy_by_folds(rows, images)
