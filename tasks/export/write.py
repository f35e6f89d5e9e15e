"""Export: a run as one model that takes an image and says its class, for people without gargalo."""

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stores.manifest import Manifest
from stores.storage.digests import file_digests
from stores.storage.publish import publish_folder
from tasks.errors import InputError
from tasks.execution.keras_backend import check_backend
from tasks.execution.output_paths import check_place
from tasks.export.format_names import ExportFormat, Scorer
from tasks.images.image_files import read_image
from tasks.inference.predict import Classifier, Prediction

CLASSES = "classes.json"
TOLERANCE = 1e-3  # of a probability; of margins, a share of the largest
_BYTES_AT_ONCE = 32


@dataclass(frozen=True)
class Deviation:
    """How far an exported model is from the run that it was made of."""

    images: int
    labels_that_differ: int
    largest_difference: float  # of a probability; of margins, as a share of the largest

    @property
    def within_tolerance(self) -> bool:
        """Whether the two are the same classifier."""
        return not self.labels_that_differ and self.largest_difference <= TOLERANCE


def export(
    classifier: Classifier,
    expected: Sequence[tuple[Path, Prediction]],
    folder: Path,
    *,
    formats: Sequence[ExportFormat],
    card: Callable[[dict[str, Deviation]], bytes],
) -> dict[str, Deviation]:
    """Write a classifier into a new folder, a model each format; return how far each is from it.

    `expected` are images with what the classifier itself says of them. `card` makes the text that
    lies beside. What is there already is replaced. Raises InputError where a model says something
    else; then nothing is written.
    """
    check_backend()
    from tasks.export.formats import read_model, write_model
    from tasks.export.keras_model import join

    model = join(classifier)
    found: dict[str, Deviation] = {}
    with publish_folder(folder, tmp=folder.parent) as draft:
        for name in formats:
            write_model(name, model, classifier, draft)
            found[name] = _deviation(read_model(name, draft), expected, classifier)
            _check(name, found[name])
        about = {
            "classes": list(classifier.classes),
            "scores": classifier.scores,
            "sha256": file_digests(draft),
        }
        (draft / CLASSES).write_text(
            json.dumps(about, indent=2, ensure_ascii=False), encoding="utf-8"
        )
        (draft / "README.md").write_bytes(card(found))
        if folder.exists():  # and may be replaced, as was asked first
            shutil.rmtree(folder)
    return found


def _deviation(
    say: Scorer, expected: Sequence[tuple[Path, Prediction]], classifier: Classifier
) -> Deviation:
    differ, largest = 0, 0.0
    for some in _parts(expected):
        received = say([read_image(path) for path, _ in some])
        wanted = np.array([told.scores for _, told in some])
        differ += int((received.argmax(axis=1) != wanted.argmax(axis=1)).sum())
        finite = np.isfinite(wanted)
        unit = 1.0 if classifier.scores == "probability" else np.abs(wanted[finite]).max()
        largest = max(largest, float(np.abs(received - wanted)[finite].max() / unit))
    return Deviation(len(expected), differ, largest)


def _parts(
    expected: Sequence[tuple[Path, Prediction]],
) -> Iterator[Sequence[tuple[Path, Prediction]]]:
    for start in range(0, len(expected), _BYTES_AT_ONCE):
        yield expected[start : start + _BYTES_AT_ONCE]


def _check(name: str, found: Deviation) -> None:
    if not found.within_tolerance:
        raise InputError(
            f"the {name} model is not the run's classifier: of {found.images} validation images "
            f"{found.labels_that_differ} get another label, and scores differ by up to "
            f"{found.largest_difference:.2g} (expected at most {TOLERANCE:g}); nothing was "
            "written. A recipe with --precision bfloat16, --decode fast or --dtype float16 makes "
            "features that a float32 model does not: extract and train without"
        )


def check_new(folder: Path, *, force: bool) -> None:
    """Raise InputError where something is there that may not be replaced."""
    check_place(folder)
    if folder.exists() or folder.is_symlink():
        if not force:
            raise InputError(f"{folder} is there already: give another folder, or --force")
        if not (folder / CLASSES).exists():
            raise InputError(f"{folder} is no exported model: --force replaces nothing else")


def images_of(manifest: Manifest, keys: set[bytes]) -> list[Path]:
    """Return where images lie, by their keys, of those that the data set still has."""
    images = manifest.select()
    return [
        Path(manifest.folder) / path
        for key, path in zip(images.keys, images.paths, strict=True)
        if bytes(key) in keys
    ]
