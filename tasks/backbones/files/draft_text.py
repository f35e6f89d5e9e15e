"""A draft as TOML, with comments where the file does not say; it is in ASCII, as any shell has it.

What a tensor is called is up to whoever wrote the file.
"""

from collections.abc import Iterator, Sequence

from tasks.backbones.files.description import PRESETS
from tasks.backbones.files.draft import Draft
from tasks.backbones.files.layouts import layout_of_map, shown
from tasks.backbones.files.likely_taps import Tap

_KINDS = {"onnx": "an ONNX file", "ir": "OpenVINO's format", "keras": "a Keras model"}
_POOLING = {
    "vector": "",
    "unknown": "",
    "tokens": "  --pooling cls, mean-tokens or cls+mean",
    "map": "  --pooling avg or max",
}
_ROLES = {"output": ", an output", "classes": ", class scores", "inner": ""}
_MOST_SHOWN = 20  # of outputs, and of taps
_LONGEST = 400  # of a name in a comment, as it is written: a description has a maximum size


def draft_text(draft: Draft) -> str:
    """Return a draft as TOML."""
    return "\n".join(_lines(draft))


def quoted(text: str) -> str:
    """Return a text as a string of TOML, in ASCII; one with lone surrogates, which TOML has not."""
    return f'"{"".join(map(_escaped, text))}"'


def _escaped(character: str) -> str:
    if character in {'"', "\\"}:
        return f"\\{character}"
    if " " <= character <= "~":
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code < 2**16 else f"\\U{code:08x}"


def _lines(draft: Draft) -> Iterator[str]:
    network = draft.network
    yield f"# Draft of the description of {_named(draft.file)}, {_KINDS[draft.kind]}."
    yield f"# Input: {_named(network.images.name)} {shown(network.images.shape)}"
    for output in network.outputs[:_MOST_SHOWN]:
        yield f"# Output: {_named(output.name)} {_shape(output.shape)}"
    if (left := len(network.outputs) - _MOST_SHOWN) > 0:
        yield f"# and {left} more outputs"
    yield ""
    yield "# The file does not say how images are prepared. Choose as the network was trained:"
    yield f"# {', '.join(sorted(PRESETS))}. raw is pixels from 0 to 255. Keys of docs/files.md,"
    yield "# such as mean, std and scale, go before the preset."
    yield f"preset = {quoted(draft.preset)}"
    yield from _images(draft)
    yield from _taps(draft)


def _images(draft: Draft) -> Iterator[str]:
    network = draft.network
    height, width = network.size
    if not network.size_is_told:
        yield "# The file does not say the size: write the one that the network was trained with."
    yield f"image_size = {height if height == width else [height, width]}"
    if not network.layout_is_told:
        yield "# The file does not say the layout; this one was taken by the network."
    yield f"layout = {quoted(network.layout)}"
    if draft.map_layout != network.layout:
        yield "# Of feature maps, by their shapes."
        yield f"map_layout = {quoted(draft.map_layout)}"


def _taps(draft: Draft) -> Iterator[str]:
    yield ""
    yield "# What is meant without --tap. Likely taps, the most useful first, for one image:"
    for tap in draft.taps[:_MOST_SHOWN]:
        yield f"#   {_named(tap.name)} {_about(tap)}{_other_layout(tap, draft)}"
    if not draft.taps:
        yield "#   none was found"
    yield f"tap = {quoted(draft.tap)}"
    tokens = next((tap for tap in draft.taps if tap.kind == "tokens"), None)
    if tokens is None:
        return
    yield "# Of tokens: whether the first is a class token, and how many follow that are no places."
    count, special = tokens.shape[0], draft.special_tokens
    if special is None:
        yield f"# The file does not say: there are {count} tokens."
    else:
        yield f"# Probably, because {count} = {special} + {count - special}, a grid of places."
    yield f"class_token = {'false' if special == 0 else 'true'}"
    yield f"register_tokens = {max((special or 0) - 1, 0)}"


def _about(tap: Tap) -> str:
    what = "" if tap.kind == "unknown" else f"{tap.kind} "
    return f"{what}{_shape(tap.shape)}{_ROLES[tap.role]}{_POOLING[tap.kind]}"


def _other_layout(tap: Tap, draft: Draft) -> str:
    """Return what a map needs whose layout is not that of the best map."""
    layout = layout_of_map(tap.shape, draft.network.size) if tap.kind == "map" else None
    return "" if layout in {None, draft.map_layout} else f", with map_layout = {quoted(layout)}"


def _shape(shape: Sequence[int] | None) -> str:
    return shown(shape) if shape else "(shape not known)"


def _named(name: str) -> str:
    whole = quoted(name)
    return whole if len(whole) <= _LONGEST else quoted(f"{name[: _LONGEST // 10]}...")
