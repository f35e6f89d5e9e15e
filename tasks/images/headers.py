"""The format and size of an image, read from its header without decoding it.

Formats are recognized by the same first bytes as in `tf.image.decode_image`, which refuses all
others. Pillow decodes some of those, and what TensorFlow reads wrongly.
"""

from collections.abc import Callable

from tasks.images import bmp, gif, heif, jpeg, tiff, webp
from tasks.images.image_parts import BMP, GIF, JPEG, PNG, big

# Formats that are not supported, but occur in files with the names of supported ones.
_OTHERS = (
    (0, b"\xff\x0a", "JPEG XL"),
    (0, b"\x00\x00\x00\x0cJXL ", "JPEG XL"),
    (0, b"\x00\x00\x00\x0cjP  ", "JPEG 2000"),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000"),
    (4, b"ftypcrx", "a camera's raw file"),
    (4, b"ftyp", "video or another HEIF"),
    (0, b"%PDF", "PDF"),
    (0, b"<svg", "SVG"),
    (0, b"<?xml", "XML"),
)


def announced_size(content: bytes) -> tuple[int, int]:
    """Return the (height, width) in pixels that a decoder allocates; zeros if there is no size.

    For a GIF, this is the smallest size that holds every frame. Raises InputError for a file with
    more parts than an image has.
    """
    read = _SIZES.get(pillow_plugin(content))
    return read(content) if read else (0, 0)


def _of_gif(content: bytes) -> tuple[int, int]:
    return holding(gif.frames(content))


def _of_jpeg(content: bytes) -> tuple[int, int]:
    frame = jpeg.frame(content)
    return big(frame[1:3]), big(frame[3:5])


def _of_png(content: bytes) -> tuple[int, int]:
    return big(content[20:24]), big(content[16:20])


_SIZES: dict[str, Callable[[bytes], tuple[int, int]]] = {
    "GIF": _of_gif,
    "JPEG": _of_jpeg,
    "PNG": _of_png,
    "BMP": bmp.size,
    "WEBP": webp.size,
    "TIFF": tiff.size,
    "AVIF": heif.size,
    "HEIF": heif.size,
}


def holding(frames: list[gif.Frame]) -> tuple[int, int]:
    """Return the (height, width) of a decoded GIF: the smallest size that holds every frame."""
    return max((f.height for f in frames), default=0), max((f.width for f in frames), default=0)


def pillow_plugin(content: bytes) -> str:
    """Return the name of the format as Pillow has it; an empty text for an unknown one."""
    starts = {JPEG: "JPEG", PNG: "PNG", GIF: "GIF", BMP: "BMP"}
    if found := next((name for start, name in starts.items() if content.startswith(start)), ""):
        return found
    if webp.is_webp(content):
        return "WEBP"
    return "TIFF" if tiff.is_tiff(content) else heif.kind(content)


def by_pillow(content: bytes) -> bool:
    """Return whether Pillow decodes an image: TensorFlow refuses it, or reads it wrongly."""
    plugin = pillow_plugin(content)
    if plugin == "WEBP":
        return webp.is_animated(content) or webp.has_alpha(content)
    if plugin == "BMP":
        return bool(bmp.misread(content))
    return plugin in {"TIFF", "AVIF", "HEIF"}


def decoder(content: bytes) -> str:
    """Return the package beside TensorFlow that decodes an image, or an empty text."""
    if not by_pillow(content):
        return ""
    return "pillow_heif" if pillow_plugin(content) == "HEIF" else "pillow"


def other_format(content: bytes) -> str:
    """Return the name of the format if it is not supported, else an empty text.

    TensorFlow also decodes JPEG XL. It is not supported, because neither its size nor the cost of
    decoding can be read from a simple header.
    """
    if pillow_plugin(content):
        return ""
    for place, start, name in _OTHERS:
        if content.startswith(start, place):
            return name
    return "an unknown format"
