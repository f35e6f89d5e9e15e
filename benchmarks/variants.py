"""What the recipes that trade exactness for speed gain, and what they cost in accuracy."""

from collections.abc import Iterator
from functools import partial

from benchmarks.ours import Setting, extract
from benchmarks.timing import Contender, Finding, in_turn, ratios
from stores.features.store import FeatureStore
from stores.manifest import Manifest
from tasks.datasets.folds import LEARNED_FROM, folds_of
from tasks.evaluation.metrics import accuracy
from tasks.execution.quiet_openvino import CORE
from tasks.features.engines import load_engine
from tasks.heads import Candidate, Failed, find_kind
from tasks.heads.examples import Examples, stream_of
from tasks.heads.presets import make_head
from tasks.training.prediction_table import scores_of

GROUP = "Quicker, other features"
# A head may lose half a point of accuracy by bfloat16; what fast decoding costs is only told.
EXPECTED = {"--precision bfloat16": "≥ -0.5"}


def has_bfloat16() -> bool:
    """Whether this CPU computes in bfloat16."""
    return "BF16" in CORE.get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def variants(setting: Setting, *, rounds: int) -> Iterator[Finding]:
    """Measure `--decode fast` and, where the CPU has it, `--precision bfloat16`."""
    settings = {"exact": setting, "--decode fast": setting.asked(decode="fast")}
    if has_bfloat16():
        settings["--precision bfloat16"] = setting.asked(precision="bfloat16")
        settings["both"] = setting.asked(decode="fast", precision="bfloat16")
    manifest = setting.ingest()
    images = len(manifest.select().keys)
    for chosen in settings.values():
        extract(chosen, manifest)  # converts the model, and keeps it
    contenders = {
        name: Contender(partial(extract, chosen, manifest), partial(ready, chosen, images))
        for name, chosen in settings.items()
    }
    seconds = in_turn(contenders, rounds=rounds)
    exact = _accuracy(setting, manifest)
    for name, chosen in settings.items():
        if name == "exact":
            continue
        size = chosen.job.recipes[0].image_size[0]
        about = f"{name}, {chosen.request.backbone} at {size}"
        yield Finding(GROUP, f"{about}: speed", ratios(seconds["exact"], seconds[name]), "×")
        lost = 100 * (_accuracy(chosen, manifest) - exact)
        remark = f"logistic head on validation, beside {100 * exact:.2f}%"
        expected = EXPECTED.get(name, "")
        yield Finding(GROUP, f"{about}: accuracy", (lost,), "points", expected, remark)


def ready(setting: Setting, images: int) -> None:
    """Have the engine built before the time is taken."""
    setting.forget_features()
    load_engine(setting.chosen(images))


def _accuracy(setting: Setting, manifest: Manifest) -> float:
    extract(setting, manifest)
    features = FeatureStore(setting.store, setting.job.recipes[0])
    images = manifest.select(*LEARNED_FROM)
    (fold,) = folds_of(manifest, 0)
    stream = stream_of(features, images.keys)
    examples = Examples(stream, images.labels, len(manifest.classes), [fold])
    head = make_head("logistic", {}, classes=examples.classes)
    (trained,) = find_kind("logistic").train([Candidate(head, 0)], examples)
    assert not isinstance(trained, Failed)
    said = scores_of(trained, stream, fold.validation)
    return accuracy(said, images.labels[fold.validation])
