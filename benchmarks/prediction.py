"""How quickly new images are said, beside how quickly their features are extracted."""

from collections.abc import Iterator
from pathlib import Path

from benchmarks.ours import Setting, extract
from benchmarks.timing import Contender, Finding, in_turn, ratios
from stores.runs.store import RunStore
from tasks.features.engines import load_engine
from tasks.heads.presets import make_head
from tasks.inference.predict import load_classifier, predict
from tasks.training.planned_runs import PlannedRun
from tasks.training.train import train

GROUP = "Prediction"


def prediction(setting: Setting, *, rounds: int) -> Iterator[Finding]:
    """Measure both with the engine built, and no feature in the store."""
    manifest = setting.ingest()
    extract(setting, manifest)
    (recipe,) = setting.job.recipes
    head = make_head("logistic", {}, classes=len(manifest.classes))
    parameters = {"weights": setting.request.weights}
    (run,) = train([PlannedRun(manifest, recipe, head, 0, parameters)], store=setting.store)
    classifier = load_classifier(RunStore(setting.store).read(run), store=setting.store)
    paths = [Path(manifest.folder) / path for path in manifest.select().paths.to_pylist()]

    def ready() -> None:
        setting.forget_features()
        load_engine(setting.chosen(len(paths)))

    seconds = in_turn(
        {
            "extract": Contender(lambda: extract(setting, manifest), ready),
            "predict": Contender(lambda: list(predict(paths, classifier, batch_size=32)), ready),
        },
        rounds=rounds,
    )
    about = f"{len(paths)} images, {recipe.backbone} at {recipe.image_size[0]}"
    rate = ratios(seconds["extract"], seconds["predict"])
    yield Finding(GROUP, f"{about}: rate, in units of extraction's", rate, "×", "≥ 0.9")
