"""The format and size of an image, read from its header without decoding it.

Formats are recognized by the same first bytes as in `tf.image.decode_image`, which refuses all
others.
"""

from tasks.images import gif, jpeg, webp
from tasks.images.image_parts import BMP, GIF, JPEG, PNG, big, little

# Formats that are not supported, but occur in files with the names of supported ones.
_OTHERS = (
    (0, b"\xff\x0a", "JPEG XL"),
    (0, b"\x00\x00\x00\x0cJXL ", "JPEG XL"),
    (0, b"\x00\x00\x00\x0cjP  ", "JPEG 2000"),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000"),
    (4, b"ftypavi", "AVIF"),
    (4, b"ftyp", "HEIF or video"),
    (0, b"II*\x00", "TIFF"),
    (0, b"MM\x00*", "TIFF"),
    (0, b"%PDF", "PDF"),
    (0, b"<svg", "SVG"),
    (0, b"<?xml", "XML"),
)


def announced_size(content: bytes) -> tuple[int, int]:
    """Return the (height, width) in pixels that a decoder allocates; zeros if there is no size.

    For a GIF, this is the smallest size that holds every frame. Raises InputError for a file with
    more parts than an image has.
    """
    if content.startswith(GIF):
        return holding(gif.frames(content))
    if content.startswith(JPEG):
        frame = jpeg.frame(content)
        return big(frame[1:3]), big(frame[3:5])
    if content.startswith(PNG):
        return big(content[20:24]), big(content[16:20])
    if content.startswith(BMP):
        height = int.from_bytes(content[22:26], "little", signed=True)  # negative: top row first
        return abs(height), little(content[18:22])
    if webp.is_webp(content):
        return webp.size(content)
    return 0, 0


def holding(frames: list[gif.Frame]) -> tuple[int, int]:
    """Return the (height, width) of a decoded GIF: the smallest size that holds every frame."""
    return max((f.height for f in frames), default=0), max((f.width for f in frames), default=0)


def other_format(content: bytes) -> str:
    """Return the name of the format if it is not supported, else an empty text.

    TensorFlow also decodes JPEG XL. It is not supported, because neither its size nor the cost of
    decoding can be read from a simple header.
    """
    known = (JPEG, PNG, GIF, BMP)
    if content.startswith(known) or webp.is_webp(content):
        return ""
    for place, start, name in _OTHERS:
        if content.startswith(start, place):
            return name
    return "an unknown format"
