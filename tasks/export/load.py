"""Predictions with an exported model."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from stores.orientation import Orientation
from stores.storage.digests import damage, file_digests
from stores.storage.json_files import ABSURD
from stores.targets import Target
from tasks.errors import InputError
from tasks.evaluation.calibrated_targets import AnyCalibrated, answers
from tasks.execution.keras_backend import check_backend
from tasks.execution.progress import advance
from tasks.execution.user_files import read_whole
from tasks.export.described_outputs import Outputs, from_json
from tasks.export.format_names import PLACES, Scorer
from tasks.export.write import CLASSES
from tasks.images.exif import UPRIGHT, orientation
from tasks.images.image_check import examined
from tasks.inference.image_rows import written
from tasks.inference.predict import Prediction

_IMAGES_AT_ONCE = 32
_CLASSES_BYTES = 2**26


@dataclass(frozen=True)
class ExportedModel:
    """A loaded model, and what its scores are."""

    scorer: Scorer
    outputs: Outputs
    orientation: Orientation = "upright"  # how rotated photographs were used in its training

    @property
    def target(self) -> Target:
        """What it predicts."""
        return self.outputs.target

    @property
    def classes(self) -> tuple[str, ...]:
        """Its classes or labels; the name of its number."""
        return self.outputs.classes

    @property
    def scores(self) -> str:
        """The kind of its scores: probability or margin, or number."""
        return self.outputs.scores

    @property
    def calibrated(self) -> AnyCalibrated:
        """What held-out images say of its scores."""
        return self.outputs.calibrated

    @property
    def separator(self) -> str:
        """What is between several labels in a text."""
        return self.outputs.separator


def load_exported(place: Path) -> ExportedModel:
    """Return the model in a folder of `flows.export`, given by the folder or by the model's path.

    Of several models in a folder, it is the first of PLACES. Raises InputError if there is none, or
    if it is damaged.
    """
    named = [name for name, where in PLACES.items() if place.name == where]
    folder = place.parent if named else place
    there = named or [name for name, where in PLACES.items() if (folder / where).exists()]
    try:
        about = json.loads(read_whole(folder / CLASSES, most=_CLASSES_BYTES))
        digests = dict(about["sha256"])
        stored = about.get("orientation") == "stored"
        outputs = from_json(about)
    except (OSError, *ABSURD) as error:
        raise InputError(
            f"{place}: expected a model written by flows.export, with {CLASSES} in its folder "
            f"({type(error).__name__}); export it again"
        ) from error
    if not there:
        raise InputError(f"{place}: no model found; expected {' or '.join(PLACES.values())}")
    _check_whole(folder, digests, PLACES[there[0]])
    check_backend()
    from tasks.export.formats import read_model

    scorer = read_model(there[0], folder)
    return ExportedModel(scorer, outputs, "stored" if stored else "upright")


def _check_whole(folder: Path, digests: dict[str, str], place: str) -> None:
    """Raise InputError if the files of a model have changed."""
    own = (place, place.replace(".xml", ".bin"))  # OpenVINO's weights are in a file of their own
    found = {n: digest for n, digest in file_digests(folder).items() if n.startswith(own)}
    expected = {n: digest for n, digest in digests.items() if n.startswith(own)}
    if not expected:
        raise InputError(f"{folder}: no digest of {place} in {CLASSES}; export it again")
    if damaged := damage(folder, expected, found):
        raise InputError(f"{damaged}; export it again")


def predict_by(paths: Sequence[Path], model: ExportedModel) -> Iterator[Prediction]:
    """Yield the prediction for each image, in order; for a bad image, the reason."""
    for start in range(0, len(paths), _IMAGES_AT_ONCE):
        some = paths[start : start + _IMAGES_AT_ONCE]
        yield from _predicted(some, model)
        advance(len(some))


def _predicted(paths: Sequence[Path], model: ExportedModel) -> list[Prediction]:
    from tasks.images.decoding import check_decodable, for_tensorflow

    contents: dict[Path, bytes] = {}
    found: dict[Path, Prediction] = {}
    for path in paths:
        try:
            content = examined(path)
            check_decodable(content)
            turn = orientation(content) if model.orientation == "upright" else UPRIGHT
            contents[path] = for_tensorflow(content, turn=turn)
        except InputError as error:
            found[path] = Prediction(written(path), reason=str(error))
    good = [path for path in paths if path not in found]
    if good:
        scores = model.scorer([contents[path] for path in good])
        if scores.shape != (len(good), len(model.classes)):
            raise InputError(
                f"the exported model returns {scores.shape[1:]} scores per image, but {CLASSES} "
                f"expects {len(model.classes)}; export it again"
            )
        predicted = answers(scores, model.classes, model.calibrated)
        for path, answer, own in zip(good, predicted, scores, strict=True):
            found[path] = Prediction(written(path), answer, tuple(own.tolist()))
    return [found[path] for path in paths]
