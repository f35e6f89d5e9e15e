"""Export a run as one model from images to what they show, which needs no gargalo."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from stores.features.recipe import Recipe
from stores.keys import KEY_BYTES, as_arrow
from stores.manifest import Manifest
from stores.storage.digests import file_digests
from stores.storage.publish import publish_folder
from tasks.backbones.files.backbone import is_graph_file, is_onnx_file, is_preset
from tasks.errors import InputError
from tasks.execution.keras_backend import check_backend
from tasks.execution.onnx_extra import check_onnx, has_onnx
from tasks.execution.output_paths import check_place
from tasks.export.described_outputs import as_json
from tasks.export.deviation import Deviation, deviation_of
from tasks.export.format_names import PLACES, ExportFormat
from tasks.inference.predict import Classifier, Prediction

CLASSES = "classes.json"


def export(
    classifier: Classifier,
    expected: Sequence[tuple[Path, Prediction]],
    folder: Path,
    *,
    formats: Sequence[ExportFormat],
    card: Callable[[dict[str, Deviation]], bytes],
) -> dict[str, Deviation]:
    """Write a classifier into a folder, one model per format; return the deviation of each.

    `expected` are images with the classifier's predictions, as stored. `card` returns the text of
    README.md.
    An existing folder is replaced. Raises InputError if a model's predictions differ, or for a
    format that there is not at int8; then nothing is written.
    """
    check_backend()
    check_formats(classifier, formats)
    from tasks.export.formats import write_model
    from tasks.export.keras_model import join

    by_keras = "saved-model" in possible_formats(classifier.recipe)
    model = join(classifier) if by_keras else None
    found: dict[str, Deviation] = {}
    with publish_folder(folder, tmp=folder.parent) as draft:
        for name in formats:
            write_model(name, model, classifier, draft)
            found[name] = _compared(name, draft, expected, classifier)
            _check(name, found[name], classifier.recipe)
        about = {
            "orientation": classifier.orientation,
            "sha256": file_digests(draft),
            **as_json(classifier),
        }
        # An entry a line: held-out images have thousands of numbers.
        lines = [f'  "{n}": {json.dumps(value, ensure_ascii=False)}' for n, value in about.items()]
        text = ",\n".join(lines)
        (draft / CLASSES).write_text(f"{{\n{text}\n}}", encoding="utf-8")
        (draft / "README.md").write_bytes(card(found))
        if folder.exists():  # `check_new` has checked that it may be replaced
            shutil.rmtree(folder)
    return found


def _compared(
    name: ExportFormat,
    draft: Path,
    expected: Sequence[tuple[Path, Prediction]],
    classifier: Classifier,
) -> Deviation:
    """Return the deviation of a written model; raises InputError where OpenVINO cannot run it."""
    from tasks.export.formats import read_model

    try:
        return deviation_of(read_model(name, draft), expected, classifier)
    except RuntimeError as error:  # OpenVINO's, of an operation that it converts and does not run
        if name != "openvino":
            raise
        reason = " ".join(str(error).split())[-200:]
        others = [one for one in possible_formats(classifier.recipe) if one != name]
        fix = f"use --format {' or '.join(others)}" if others else "use another backbone"
        raise InputError(
            f"--format openvino: OpenVINO cannot run {classifier.recipe.backbone}, and nothing was "
            f"written: …{reason}; {fix}"
        ) from error


def possible_formats(recipe: Recipe) -> list[ExportFormat]:
    """Return the formats in which a recipe's backbone is exported here where none is asked for."""
    if recipe.compute_precision == "int8":
        return ["openvino"]
    if is_graph_file(recipe):
        return ["openvino", "onnx"] if is_onnx_file(recipe) and has_onnx() else ["openvino"]
    # A `.keras` file has layers as they describe themselves, which KerasHub's do not all do.
    others = {"onnx", "keras"} if is_preset(recipe) else {"onnx"}
    return [name for name in PLACES if name not in others]


def check_formats(classifier: Classifier, formats: Sequence[ExportFormat]) -> None:
    """Raise InputError for a format in which a classifier's backbone cannot be exported."""
    recipe = classifier.recipe
    possible = possible_formats(recipe)
    others = [name for name in formats if name not in possible]
    if others == ["onnx"] and "keras" in possible:  # which is converted, if that is asked for
        check_onnx("--format onnx")
        from tasks.export.onnx_keras import check_tf2onnx

        check_tf2onnx()
        return
    if not others:
        return
    no_keras = "of KerasHub's layers" if is_preset(recipe) else "no Keras model"
    why = f"{recipe.backbone}, {no_keras}"
    if recipe.compute_precision == "int8":
        why = "quantised to int8, which only OpenVINO computes"
    elif others == ["onnx"]:
        if is_onnx_file(recipe):
            check_onnx("--format onnx")
        why = f"{recipe.backbone}, which cannot be written as ONNX"
    raise InputError(
        f"--format {', '.join(others)}: the backbone of run {classifier.run.id[:16]} is {why}; "
        f"use --format {' or '.join(possible)}"
    )


def _check(name: ExportFormat, found: Deviation, recipe: Recipe) -> None:
    if not found.within_tolerance:
        raise InputError(
            f"the {name} model differs from the run on {found.in_words()} ({found.expected}); "
            f"nothing was written; {_remedy(name, recipe)}"
        )


def _remedy(name: ExportFormat, recipe: Recipe) -> str:
    """Return what may be done about a model in a format that differs from its run."""
    flags = {
        f"--precision {recipe.compute_precision}": recipe.compute_precision != "float32",
        f"--decode {recipe.decode}": recipe.decode != "exact",
        f"--dtype {recipe.dtype}": recipe.dtype != "float32",
    }
    given = " and ".join(flag for flag, coarse in flags.items() if coarse)
    others = [one for one in possible_formats(recipe) if one != name]
    fixes = []
    if name == "keras" and recipe.aspect_ratio != "stretch":
        fixes.append(
            f"Keras's layer may {recipe.aspect_ratio} otherwise than the features at this image "
            f"size: use --format {' or '.join(others)}"
        )
    if given:
        fixes.append(f"the features were extracted with {given}: extract and train without")
    elif not fixes:
        other = f"use --format {' or '.join(others)}, or " if others else ""
        fixes.append(f"{other}train the run again")
    return "; ".join(fixes)


def check_new(folder: Path, *, force: bool) -> None:
    """Raise InputError if the path exists and may not be replaced."""
    check_place(folder)
    if folder.exists() or folder.is_symlink():
        if not force:
            raise InputError(f"{folder}: already exists; give another folder, or --force")
        if not (folder / CLASSES).exists():
            raise InputError(
                f"{folder}: not an exported model, which --force could replace; give another folder"
            )


def images_of(manifest: Manifest, keys: set[bytes]) -> list[Path]:
    """Return the paths of images with these keys that are still in the data set."""
    images = manifest.select()
    chosen = pc.is_in(as_arrow(images.keys), pa.array(list(keys), pa.binary(KEY_BYTES)))
    return [Path(manifest.folder) / path for path in images.paths.filter(chosen).to_pylist()]
