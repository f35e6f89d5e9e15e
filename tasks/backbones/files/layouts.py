"""The layout of a network's images and maps: where the channels are."""

from collections.abc import Sequence
from pathlib import Path

from tasks.backbones.files.description import Layout, describe_command
from tasks.errors import InputError


def input_layout(given: Layout | None, shape: Sequence[int], path: Path) -> Layout:
    """Return the layout of images of a shape, with -1 for what varies; raises InputError."""
    found, fits = possible_layouts(shape), _layouts(shape, {3, -1})
    if given in fits:
        return given
    if given is None and len(found) == 1:
        return found[0]
    if given is not None and fits:
        raise InputError(
            f'{path}.toml: layout = "{given}" does not fit the input {shown(shape)}; write '
            f'"{fits[0]}", or remove the line'
        )
    if fits:
        what = (
            f'write layout = "NCHW" or "NHWC" in {path.name}.toml; the one that it takes is told '
            f"by `{describe_command(path)}`"
        )
    else:
        what = "expected 3 colour channels at the second or the last place; export it for RGB"
    raise InputError(f"{path}: the input is {shown(shape)}: {what}")


def possible_layouts(shape: Sequence[int]) -> list[Layout]:
    """Return the layouts that images of a shape may have: with 3 channels, or else with any."""
    return _layouts(shape, {3}) or _layouts(shape, {-1})


def layout_of_map(shape: tuple[int, ...], size: tuple[int, int]) -> Layout | None:
    """Return the layout of a map by its image's sides, which its own are like; None: not to tell.

    A converter may turn the images alone: `map` has the channels first where the input has not.
    """
    height, width = size
    fits: list[Layout] = []
    if min(shape) > 0 and shape[1] * width == shape[2] * height:
        fits.append("NCHW")
    if min(shape) > 0 and shape[0] * width == shape[1] * height:
        fits.append("NHWC")
    return fits[0] if len(fits) == 1 else None


def check_map_layout(
    name: str, shape: tuple[int, ...], given: Layout, path: Path, image_size: tuple[int, int]
) -> None:
    """Raise InputError for a map whose sides show another layout: its means would mix channels."""
    found = layout_of_map(shape, image_size)
    if found not in {None, given}:
        raise InputError(
            f"{path}: tensor {name!r} has the shape {shown(shape)}, which is {found} and not "
            f'{given}; write map_layout = "{found}" into {path.name}.toml'
        )


def shown(shape: Sequence[int]) -> str:
    """Return a shape as messages have it, with ? for what varies."""
    return f"({', '.join('?' if side < 0 else str(side) for side in shape)})"


def _layouts(shape: Sequence[int], channels: set[int]) -> list[Layout]:
    places: dict[Layout, int] = {"NCHW": shape[1], "NHWC": shape[3]}
    return [layout for layout, count in places.items() if count in channels]
