"""A backbone from a file: its preprocessing, as a description has it and as a recipe holds it."""

import os
import re
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

from stores.features.recipe import Recipe
from tasks.backbones.files.description import Description, Layout, Three, described
from tasks.backbones.files.digest import file_digest
from tasks.backbones.weights import Weights
from tasks.errors import InputError, WeightsError

_NAME = re.compile(r"(onnx|ir|keras|kerashub)-[0-9a-f]{8}")
_NUMBERS = r"\(([^,()]+), ([^,()]+), ([^,()]+)\)"
_PREPROCESSING = re.compile(rf"(rgb|bgr): \(x \* ([^ ]+) - {_NUMBERS}\) / {_NUMBERS}")


class Input(NamedTuple):
    """The input of a network: its name and shape, with -1 for what varies."""

    name: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class FileBackbone:
    """A network in a file; `path` is not part of its identity."""

    kind: str
    digest: str
    layout: Layout
    map_layout: Layout
    channels: str
    scale: float
    mean: Three
    std: Three
    crop_fraction: float
    class_token: bool
    register_tokens: int

    @property
    def name(self) -> str:
        """Its name in a recipe: the kind of file, and the beginning of its digest."""
        return f"{self.kind}-{self.digest.removeprefix('sha256:')[:8]}"

    @property
    def preprocessing(self) -> str:
        """What is done to pixels, as a recipe holds it."""
        mean, std = (f"({', '.join(map(repr, three))})" for three in (self.mean, self.std))
        return f"{self.channels}: (x * {self.scale!r} - {mean}) / {std}"

    @property
    def arguments(self) -> tuple[tuple[str, Any], ...]:
        """What else decides features, as a recipe holds it."""
        return (
            ("class_token", self.class_token),
            ("crop_fraction", self.crop_fraction),
            ("layout", self.layout),
            ("map_layout", self.map_layout),
            ("register_tokens", self.register_tokens),
        )


def is_from_file(recipe: Recipe) -> bool:
    """Return whether a recipe is of a backbone from a file."""
    return _NAME.fullmatch(recipe.backbone) is not None


def is_keras_file(recipe: Recipe) -> bool:
    """Return whether a recipe is of a Keras model from a file, which Keras computes and trains."""
    return is_from_file(recipe) and recipe.backbone.startswith(("keras-", "kerashub-"))


def is_preset(recipe: Recipe) -> bool:
    """Return whether a recipe is of a KerasHub preset."""
    return is_from_file(recipe) and recipe.backbone.startswith("kerashub-")


def library_versions(recipe: Recipe, *names: str) -> dict[str, str]:
    """Return the versions of the libraries that a recipe's features depend on, KerasHub's too."""
    found = {name: version(name) for name in names}
    if is_preset(recipe):
        with suppress(PackageNotFoundError):  # said where the preset is loaded
            found["keras-hub"] = version("keras-hub")
    return found


def is_onnx_file(recipe: Recipe) -> bool:
    """Return whether a recipe is of an ONNX file."""
    return is_from_file(recipe) and recipe.backbone.startswith("onnx-")


def is_graph_file(recipe: Recipe) -> bool:
    """Return whether a recipe is of a file that OpenVINO reads, and nothing else here."""
    return is_from_file(recipe) and not is_keras_file(recipe)


def special_tokens(recipe: Recipe) -> int | None:
    """Return how many tokens of a file's taps are before those of places; None: no file's."""
    if not is_from_file(recipe):
        return None
    about = of_recipe(recipe)
    return int(about.class_token) + about.register_tokens


def with_layout(kind: str, digest: str, about: Description, layout: Layout) -> FileBackbone:
    """Return the backbone of a description, whose images have a layout."""
    return FileBackbone(
        kind=kind,
        digest=digest,
        layout=layout,
        map_layout=about.map_layout or layout,
        channels=about.channels,
        scale=about.scale,
        mean=about.mean,
        std=about.std,
        crop_fraction=about.crop_fraction,
        class_token=about.class_token,
        register_tokens=about.register_tokens,
    )


def of_recipe(recipe: Recipe) -> FileBackbone:
    """Return the backbone that a recipe describes; raises InputError for one that none wrote."""
    found = _PREPROCESSING.fullmatch(recipe.preprocessing)
    try:
        channels, *numbers = found.groups() if found else ("",)
        scale, *six = map(float, numbers or [0])
        about = described(
            {
                **dict(recipe.backbone_arguments),
                "channels": channels,
                "scale": scale,
                "mean": six[:3],
                "std": six[3:],
                "resize": recipe.interpolation,
            },
            "not of a backbone from a file",
        )
    except ValueError as error:
        raise InputError(f"recipe {recipe}: {error}; extract and train again") from error
    kind = recipe.backbone.partition("-")[0]
    return with_layout(kind, recipe.weights, about, about.layout or "NHWC")


def of_other_file(recipe: Recipe, digest: str) -> Recipe:
    """Return the recipe of another file of the same kind, which is described alike."""
    other = replace(of_recipe(recipe), digest=digest)
    return replace(recipe, backbone=other.name, weights=digest)


def check_is_there(recipe: Recipe, given: str, *, named: str, needed_by: str) -> None:
    """Raise WeightsError where a recipe's file is not; the message has how it was `named`."""
    if not os.path.exists(os.path.expanduser(given)):  # noqa: PTH110, PTH111
        what = "folder" if is_preset(recipe) else "file"
        raise WeightsError(
            f"{named}: {what} not found; {needed_by} the {what} of {recipe.backbone} "
            f"({recipe.weights}), wherever it is now: give it by --weights {what.upper()}"
        )


def file_of_recipe(recipe: Recipe, given: str) -> Weights:
    """Return the file that a recipe's features were computed with; raises WeightsError."""
    check_is_there(recipe, given, named=given, needed_by="the stored features need")
    path = Path(os.path.expanduser(given))  # noqa: PTH111
    what = "folder" if is_preset(recipe) else "file"
    fix = f"give the {what} of {recipe.backbone}, wherever it is now, with --weights {what.upper()}"
    try:
        digest = file_digest(path)
    except InputError as error:
        reason = str(error).removeprefix("--backbone ")
        raise WeightsError(f"{reason}; expected {recipe.weights}: {fix}") from error
    if digest != recipe.weights:
        raise WeightsError(
            f"{path}: expected {recipe.weights}, the backbone of the stored features; received "
            f"{digest}; {fix}"
        )
    return Weights("file", os.path.realpath(path), 0, digest)
