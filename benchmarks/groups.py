"""The groups of benchmarks, each with what it measures."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from benchmarks.changes import again
from benchmarks.exploration import what_to_label
from benchmarks.extraction import cold, whole
from benchmarks.finetuning import frozen_prefix
from benchmarks.heads import heads
from benchmarks.int8 import has_nncf, int8, with_weights
from benchmarks.lab import digits, estimates, ridge_path
from benchmarks.large_photos import large_photos
from benchmarks.memory import growth
from benchmarks.modern import modern
from benchmarks.modern_rivals import BATCH_SIZE as WHOLE_BATCH
from benchmarks.modern_rivals import lacking
from benchmarks.near_duplicates import bursts, copies, indexed, large
from benchmarks.novelty import novelty
from benchmarks.orchestration import artifacts, nothing_to_do, overhead, through_dask
from benchmarks.ours import REQUEST, Setting
from benchmarks.photos import keep_first, write_large_photos, write_photos
from benchmarks.prediction import prediction
from benchmarks.probabilities import digits_setting, probabilities
from benchmarks.review import lacking as lacking_for_review
from benchmarks.review import review
from benchmarks.rivals import RIVALS
from benchmarks.rows import extractions, listing, manifests
from benchmarks.scale import QUICK, Scale
from benchmarks.similar import similar
from benchmarks.storage import reading
from benchmarks.targets import targets
from benchmarks.timing import Finding
from benchmarks.variants import has_bfloat16, variants
from tasks.datasets.digits_sample import write_sample
from tests.support.prefect_server import running_server


class Benchmarks:
    """All groups of benchmarks at one scale, in a folder of their own."""

    def __init__(self, work: Path, scale: Scale) -> None:
        self.work, self.scale = work, scale
        self.about = write_photos(work / "photos", scale.images)
        self.half = work / "half of the photos"
        write_photos(self.half, scale.images // 2)
        self.rounds = scale.rounds

    def setting(self, store: str, backbone: str = "mobilenet_v2", side: int = 160) -> Setting:
        """Return what is measured with, in a store of that name."""
        side = min(side, self.scale.side)
        weights = "imagenet" if backbone == "efficientnet_lite0" else "none"
        request = replace(REQUEST, backbone=backbone, weights=weights, image_size=side)
        return Setting(self.work / "photos", self.work / store, request)

    def cold(self) -> Iterator[Finding]:
        """A whole extraction."""
        # Where TensorFlow waits for its tuner, `predict` takes 1.3 times as long, or more.
        predict, untuned, *others = RIVALS
        more = 2 * self.rounds - 1
        setting = self.setting("cold")
        yield from cold(setting, {predict: "≥ 2.3", untuned: ""}, limit="≥ 0.95", rounds=more)
        yield from cold(setting, dict.fromkeys(others, ""), limit="", rounds=self.rounds)
        yield from whole(setting, rounds=self.rounds)
        half = replace(self.setting("half", "efficientnet_lite0", 224), folder=self.half)
        yield from cold(half, {predict: "≥ 2", untuned: ""}, limit="≥ 0.95", rounds=more)

    def bfloat16(self) -> Iterator[Finding]:
        """A whole extraction by large backbones, where the CPU has bfloat16."""
        few = self.work / "fewer photos"
        write_photos(few, self.scale.slow)
        for backbone, side in (("vgg16", 150), ("resnet50", 224)) if has_bfloat16() else ():
            setting = self.setting("bfloat16", backbone, side).asked(precision="bfloat16")
            setting = replace(setting, folder=few)
            predict, untuned, *_ = RIVALS
            yield from cold(
                setting, {predict: "≥ 6", untuned: ""}, limit="≥ 0.95", rounds=self.rounds
            )

    def int8(self) -> Iterator[Finding]:
        """Quantised backbones, where NNCF is installed."""
        if not has_nncf():
            return
        small = with_weights(self.setting("int8", "mobilenet_v2", 160))
        for setting in (small, self.setting("int8", "efficientnet_lite0", 224)):
            yield from int8(setting, rounds=self.rounds, expected="≥ 1.8")
        few = self.work / "photos for large backbones"
        write_photos(few, max(40, self.scale.slow))  # with fewer nothing is quantised
        for backbone, side in (("resnet50", 224), ("vgg16", 150)):
            setting = replace(self.setting("int8 of few", backbone, side), folder=few)
            yield from int8(setting, rounds=self.rounds, expected="≥ 2.5")

    def rivals(self) -> Iterator[Finding]:
        """What people would reach for today, where it is installed."""
        if missing := lacking():
            hint = "run pip install --constraint constraints.txt '.[rivals]'"
            print(f"rivals: skipped: {', '.join(missing)} not installed; {hint}")  # noqa: T201
            return
        for backbone, side, images in (
            ("mobilenet_v2", 160, self.scale.images // 2),
            ("resnet50", 224, self.scale.slow),
        ):
            folder = self.work / f"photos for rivals of {backbone}"
            # Whole batches: compiled code is for one size.
            write_photos(folder, max(1, images // WHOLE_BATCH) * WHOLE_BATCH)
            setting = self.setting("rivals", backbone, side)
            setting = replace(setting, folder=folder, engine="openvino")
            compiled = self.scale is not QUICK
            yield from modern(setting, rounds=self.rounds, compiled=compiled)

    def large(self) -> Iterator[Finding]:
        """New photographs of 12 megapixels, by an engine for many images."""
        folder = self.work / "large photos"
        write_large_photos(folder, self.scale.large)
        setting = self.setting("large", "efficientnet_lite0", 224)
        setting = replace(setting, folder=folder, engine="openvino")
        yield from large_photos(setting, rounds=self.rounds)

    def again(self) -> Iterator[Finding]:
        """A second one."""
        folder = self.work / "changing photos"
        write_photos(folder, self.scale.changing)
        yield from again(replace(self.setting("again"), folder=folder), rounds=self.rounds)

    def reading(self) -> Iterator[Finding]:
        """What the store gives back."""
        rows, keys = self.scale.rows, self.scale.keys
        yield from reading(self.work / "read", rows=rows, keys=keys, rounds=self.rounds)

    def prefect(self) -> Iterator[Finding]:
        """The orchestrator's cost."""
        with running_server(self.work / "prefect") as server:
            environment = server.environment
            setting = self.setting("prefect")
            for backbone, side in (("efficientnet_lite0", 224), ("mobilenet_v2", 160)):
                each = self.setting("prefect", backbone, side)
                yield overhead(each, environment, rounds=self.rounds)
            yield artifacts(setting, environment, rounds=self.rounds)
            temporary = self.scale is not QUICK  # each takes ten seconds to start
            yield from nothing_to_do(setting, environment, rounds=self.rounds, temporary=temporary)
            large = self.setting("dask", "efficientnet_lite0", 224)
            large = replace(large, shard_size=max(1, self.scale.images // 3))
            yield through_dask(large, environment, rounds=self.rounds)

    def memory(self) -> Iterator[Finding]:
        """Few images and many."""
        write_photos(self.work / "many", self.scale.many)
        side = self.setting("memory").request.image_size or 0
        yield from growth(
            self.work / "photos", self.work / "many", self.work / "memory", side=side, rounds=1
        )

    def rows(self) -> Iterator[Finding]:
        """Data sets of millions of images."""
        work, scale = self.work / "rows", self.scale
        yield from manifests(work / "store", rows=scale.manifest, rounds=self.rounds)
        yield from listing(work / "listed", files=scale.listed, rounds=self.rounds)
        few, many = scale.tiny
        yield from extractions(work / "tiny", few=few, many=many)

    def variants(self) -> Iterator[Finding]:
        """Recipes that are quicker."""
        setting = self.setting("variants", "efficientnet_lite0", 160)
        yield from variants(setting, rounds=self.rounds)

    def heads(self) -> Iterator[Finding]:
        """Many heads on the same features."""
        setting = self.setting("heads", "efficientnet_lite0", 224)
        yield from heads(setting, count=self.scale.heads, epochs=self.scale.epochs)
        yield ridge_path(setting, rounds=self.rounds)

    def lab(self) -> Iterator[Finding]:
        """What is said of heads, and whether that can be believed."""
        yield from estimates(self.setting("lab", "efficientnet_lite0", 224))
        setting = self.setting("digits", "efficientnet_lite0")
        folder = write_sample(self.work / "sample")
        keep_first(folder, self.scale.digits)
        many = {"resplits": self.scale.resplits, "heads": self.scale.heads}
        yield from digits(folder, setting, **many)

    def duplicates(self) -> Iterator[Finding]:
        """Copies and bursts among photographs, and a search among many rows."""
        setting = self.setting("duplicates", "efficientnet_lite0", 224)
        things, twins = max(1, self.scale.slow // 10), max(1, self.scale.slow * 2 // 15)
        yield from bursts(setting, self.work, things=things, twins=twins)
        yield from large(images=self.scale.keys // 10)
        yield from indexed(images=self.scale.keys // 10)
        yield from copies(setting, self.work, copied=self.scale.slow)

    def prediction(self) -> Iterator[Finding]:
        """What a run says of new images."""
        yield from prediction(self.setting("prediction"), rounds=self.rounds)

    def novelty(self) -> Iterator[Finding]:
        """Which images are told to be unlike the training images."""
        setting = self.setting("novelty", "efficientnet_lite0", 224)
        yield from novelty(setting, self.work / "novelty", images=max(8, self.scale.slow))

    def exploration(self) -> Iterator[Finding]:
        """What to label next, and similar images among many."""
        folder = write_sample(self.work / "digits to label")
        keep_first(folder, self.scale.digits)
        setting = replace(self.setting("to label", "efficientnet_lite0", 224), folder=folder)
        few = self.scale is QUICK
        budgets = ((20, 40),) if few else ((20, 100), (200, 400))
        yield from what_to_label(setting, seeds=self.scale.resplits // 2, budgets=budgets)
        yield from similar(self.work / "similar", rows=self.scale.keys, rounds=self.rounds)

    def probabilities(self) -> Iterator[Finding]:
        """What probabilities and sets of classes are worth."""
        setting = self.setting("probable digits", "efficientnet_lite0")
        folder = write_sample(self.work / "probable sample")
        keep_first(folder, self.scale.digits)
        resplits = self.scale.calibrations
        yield from probabilities(digits_setting(folder, setting), "digits", resplits=resplits)
        photos = self.setting("probable photos", "efficientnet_lite0")
        yield from probabilities(photos, "cats and dogs", resplits=resplits)

    def targets(self) -> Iterator[Finding]:
        """Heads for several labels and for a number."""
        setting = self.setting("targets", "efficientnet_lite0", 224)
        images, resplits = self.scale.labelled, self.scale.calibrations
        work = self.work / "targets of digits"
        yield from targets(setting, work, images=images, resplits=resplits)

    def review(self) -> Iterator[Finding]:
        """The page on which labels are mended, in a browser."""
        if missing := lacking_for_review():
            print(f"review: skipped: {missing}")  # noqa: T201
            return
        yield from review(self.work / "review", images=self.scale.reviewed, rounds=self.rounds)

    def finetuning(self) -> Iterator[Finding]:
        """Epochs from the frozen layers' cached features, where they pay, and where they do not."""
        few = self.work / "photos to learn from"
        write_photos(few, self.scale.slow)
        for backbone, side, layer, expected in (
            ("vgg16", 150, "block5_conv1", "≥ 6"),
            ("mobilenet_v2", 160, "100", ""),
        ):
            setting = replace(self.setting("finetuning", backbone, side), folder=few)
            yield from frozen_prefix(setting, unfreeze=layer, expected=expected, rounds=self.rounds)
