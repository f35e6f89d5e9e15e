"""Predict with an exported model, which holds all that it needs."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from stores.storage.digests import damage, file_digests
from stores.storage.json_files import ABSURD
from tasks.errors import InputError
from tasks.execution.keras_backend import check_backend
from tasks.execution.progress import advance
from tasks.execution.user_files import read_whole
from tasks.export.format_names import PLACES, Scorer
from tasks.export.write import CLASSES
from tasks.images.image_check import examined
from tasks.inference.predict import Prediction, written

_IMAGES_AT_ONCE = 32
_CLASSES_BYTES = 2**26


@dataclass(frozen=True)
class ExportedModel:
    """A model that was read back, and its classes."""

    say: Scorer
    classes: tuple[str, ...]
    scores: str  # what its scores are: probability or margin


def load_exported(place: Path) -> ExportedModel:
    """Return the model in a folder that `flows.export` wrote, or one of the models in it.

    Of several the first of PLACES. Raises InputError where there is none, or a damaged one.
    """
    named = [name for name, where in PLACES.items() if place.name == where]
    folder = place.parent if named else place
    there = named or [name for name, where in PLACES.items() if (folder / where).exists()]
    try:
        about = json.loads(read_whole(folder / CLASSES, most=_CLASSES_BYTES))
        classes, scores = tuple(map(str, about["classes"])), str(about["scores"])
        digests = dict(about["sha256"])
    except (OSError, *ABSURD) as error:
        raise InputError(
            f"{place}: expected a model that flows.export wrote, with its {CLASSES} beside it "
            f"({type(error).__name__})"
        ) from error
    if not there:
        raise InputError(f"{place}: no model in it; expected {' or '.join(PLACES.values())}")
    _check_whole(folder, digests, PLACES[there[0]])
    check_backend()
    from tasks.export.formats import read_model

    return ExportedModel(read_model(there[0], folder), classes, scores)


def _check_whole(folder: Path, digests: dict[str, str], place: str) -> None:
    """Raise InputError where the files of a model are not those that were written."""
    stem = place.removesuffix(".xml")  # OpenVINO's weights lie in a .bin beside
    found = {n: digest for n, digest in file_digests(folder).items() if n.startswith(stem)}
    expected = {n: digest for n, digest in digests.items() if n.startswith(stem)}
    if not expected:
        raise InputError(f"{folder}: {CLASSES} has no digest of {place}; export it again")
    if damaged := damage(folder, expected, found):
        raise InputError(f"{damaged}; export it again")


def predict_by(paths: Sequence[Path], model: ExportedModel) -> Iterator[Prediction]:
    """Yield what a model says of each image, in their order; of one that is bad, the reason."""
    for start in range(0, len(paths), _IMAGES_AT_ONCE):
        some = paths[start : start + _IMAGES_AT_ONCE]
        yield from _said(some, model)
        advance(len(some))


def _said(paths: Sequence[Path], model: ExportedModel) -> list[Prediction]:
    from tasks.images.decoding import check_decodable

    contents: dict[Path, bytes] = {}
    told: dict[Path, Prediction] = {}
    for path in paths:
        try:
            contents[path] = examined(path)
            check_decodable(contents[path])
        except InputError as error:
            told[path] = Prediction(written(path), reason=str(error))
    good = [path for path in paths if path not in told]
    if good:
        scores = model.say([contents[path] for path in good])
        if scores.shape != (len(good), len(model.classes)):
            raise InputError(
                f"the exported model gives {scores.shape[1:]} scores an image, its {CLASSES} has "
                f"{len(model.classes)} classes; export it again"
            )
        for path, own in zip(good, scores, strict=True):
            label = model.classes[int(own.argmax())]
            told[path] = Prediction(written(path), label, tuple(own.tolist()))
    return [told[path] for path in paths]
