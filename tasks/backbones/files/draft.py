"""A draft of a file's description: what the file says, and what is likely."""

import os
from dataclasses import dataclass
from pathlib import Path

from tasks.backbones.files.description import Description, Layout, Preset, description_path
from tasks.backbones.files.digest import files_of
from tasks.backbones.files.keras_steps import keras_network
from tasks.backbones.files.layouts import layout_of_map
from tasks.backbones.files.likely_taps import Tap, likely_taps, special_tokens
from tasks.backbones.files.named_files import kind_of
from tasks.backbones.files.preset_folder import CONFIG
from tasks.backbones.files.steps import Network
from tasks.errors import InputError

_OUTPUT = Description().tap  # the only output, whatever its name


@dataclass(frozen=True)
class Draft:
    """What a description of a file could be."""

    file: str
    kind: str
    preset: Preset
    network: Network
    taps: list[Tap]  # the most useful first
    tap: str
    map_layout: Layout  # of the best map
    special_tokens: int | None  # of the best tokens: class token and registers; None: not to tell


def drafted(given: str, preset: Preset) -> Draft:
    """Return the draft for a file; raises InputError for what is no backbone.

    No description is read: that beside the file may be wrong, or empty, where a shell has opened it
    for this draft.
    """
    path = Path(os.path.expanduser(given))  # noqa: PTH111  it leaves an unknown ~user as it is
    kind = _checked(path)
    if kind == "keras":
        network = keras_network(path)
    else:
        from tasks.backbones.files.network_steps import graph_network  # imports OpenVINO

        network = graph_network(path)
    outputs = [output.place for output in network.outputs if output.place is not None]
    taps = likely_taps(network.steps, outputs, network.size)
    best = {tap.kind: tap for tap in reversed(taps)}
    maps, tokens = best.get("map"), best.get("tokens")
    is_output = not taps or (len(network.outputs) == 1 and taps[0].place in outputs)
    return Draft(
        file=path.name,
        kind=kind,
        preset=preset,
        network=network,
        taps=taps,
        tap=_OUTPUT if is_output else taps[0].name,
        map_layout=(maps and layout_of_map(maps.shape, network.size)) or network.layout,
        special_tokens=special_tokens(tokens.shape[0], network.size) if tokens else None,
    )


def _checked(path: Path) -> str:
    """Return the kind of a file that is there, with its weights; raises InputError."""
    if path.is_dir() and (path / CONFIG).is_file():
        raise InputError(
            f"{path}: a preset of KerasHub is not drafted; its image_converter.json says how its "
            f"images are prepared, or {description_path(path).name} beside it; use it as "
            f"--backbone {os.path.join(path, '')}"  # noqa: PTH118
        )
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "file not found"
        raise InputError(
            f"{path}: {what}; expected a file (.onnx, .xml, .keras). A backbone that has a name "
            "needs no description"
        )
    files_of(path)
    return kind_of(path)
