"""What an image's bytes announce, read without decoding anything, however odd they are.

The formats are told apart by the same first bytes as in `tf.image.decode_image`; whatever is none
of them, it refuses.
"""

from tasks.images import gif, jpeg, webp
from tasks.images.image_parts import BMP, GIF, JPEG, PNG, big, little

# Other formats that image files have in them, whatever their names end in.
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
    """Return the (height, width) in pixels that a decoder makes room for; zeros if none is said.

    Of a GIF it is not the canvas, but what holds each of the frames, though one alone is used.
    Raises InputError for a file in more pieces than an image has.
    """
    if content.startswith(GIF):
        return holding(gif.frames(content))
    if content.startswith(JPEG):
        frame = jpeg.frame(content)
        return big(frame[1:3]), big(frame[3:5])
    if content.startswith(PNG):
        return big(content[20:24]), big(content[16:20])
    if content.startswith(BMP):
        height = int.from_bytes(content[22:26], "little", signed=True)  # below 0: from the top down
        return abs(height), little(content[18:22])
    if webp.is_webp(content):
        return webp.size(content)
    return 0, 0


def holding(frames: list[gif.Frame]) -> tuple[int, int]:
    """Return the (height, width) that the decoder gives a GIF: what holds each of its frames."""
    return max((f.height for f in frames), default=0), max((f.width for f in frames), default=0)


def other_format(content: bytes) -> str:
    """Return which format it is where it is none that is read, or an empty text.

    TensorFlow decodes JPEG XL too. Its size stands behind a code of its own, and what it costs to
    decode does not follow from its size.
    """
    known = (JPEG, PNG, GIF, BMP)
    if content.startswith(known) or webp.is_webp(content):
        return ""
    for place, start, name in _OTHERS:
        if content.startswith(start, place):
            return name
    return "an unknown format"
