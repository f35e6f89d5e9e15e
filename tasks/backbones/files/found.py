"""What a backbone's file and the description beside it come to."""

import os
from functools import partial
from pathlib import Path

from tasks.backbones.files.backbone import FileBackbone, with_layout
from tasks.backbones.files.description import (
    Description,
    Layout,
    Preset,
    describe_command,
    read_description,
)
from tasks.backbones.files.digest import file_digest, files_of
from tasks.backbones.files.keras_config import keras_input
from tasks.backbones.files.layouts import input_layout
from tasks.backbones.files.named_files import kind_of
from tasks.backbones.files.network import only_input, read_network
from tasks.backbones.files.preset_converter import preset_preparation, preset_tokens
from tasks.backbones.files.preset_folder import preset_input
from tasks.backbones.weights import Weights
from tasks.errors import InputError


def found_in_file(
    given: str, image_size: int | None = None, preset: Preset | None = None
) -> tuple[FileBackbone, Description, tuple[int, int], Weights]:
    """Return what a file and its description say; a size of images and a preset may be given.

    Raises InputError for whatever is wrong with either.
    """
    path = Path(os.path.expanduser(given))  # noqa: PTH111  it leaves an unknown ~user as it is
    kind = kind_of(path)
    files_of(path)  # one that is missing is said before a large one is read
    if kind == "kerashub":
        shape = preset_input(path)
        description = read_description(
            path, preset, preset_tokens(path), partial(preset_preparation, path)
        )
    else:
        description = read_description(path, preset)
        shape = keras_input(path) if kind == "keras" else only_input(read_network(path), path).shape
    digest = file_digest(path)
    layout = input_layout(description.layout, shape, path)
    backbone = with_layout(kind, digest, description, layout)
    weights = Weights("file", os.path.realpath(path), 0, digest)
    own = (image_size, image_size) if image_size else _size(description, shape, layout, path)
    return backbone, description, own, weights


def _size(
    description: Description, shape: tuple[int, ...], layout: Layout, path: Path
) -> tuple[int, int]:
    given = description.image_size
    if given is not None:
        return (given, given) if isinstance(given, int) else given
    height, width = shape[2:] if layout == "NCHW" else shape[1:3]
    if height < 0 or width < 0:
        raise InputError(
            f"{path}: the network takes images of any size; write the one it was trained with into "
            f"{path.name}.toml, as image_size = 224, or give --image-size; one that it takes is "
            f"told by `{describe_command(path)}`"
        )
    return height, width
