"""The kind: a file of millions of pieces that mean nothing, each looked at one after another."""

import math
import struct
import time

import pytest

from tasks.images.image_check import check_content, examine
from tasks.images.image_parts import MOST_PARTS
from tests.support.images import encoded, every_kind, pixels, png_of_chunks, write

KINDS = every_kind()
MANY = 20 * MOST_PARTS
JPG, GIF = KINDS["rgb.jpg"], KINDS["static.gif"]
FRAME = GIF.index(b"\x2c\0\0\0\0")
SCANS = b"\xff\xe5\0\x20" + b"\xff\xda" * 15  # in a segment: they are worth a second look
HEADER = struct.pack(">IIBBBBB", 10, 10, 8, 2, 0, 0, 0)


def in_jpeg(pieces):
    return JPG[:2] + pieces + JPG[2:]


def in_gif(pieces):
    return GIF[:FRAME] + pieces + GIF[FRAME:]


def in_webp(pieces):
    body = encoded(pixels(0), "WEBP", exif=b"Exif\0\0")[8:] + pieces
    return b"RIFF" + struct.pack("<I", len(body)) + body


SMALLEST = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\0"
PIECES = {
    "filling": lambda: in_jpeg(b"\xff" * MANY),
    "comments": lambda: in_jpeg(b"\xff\xfe\0\x02" * MANY),
    "comments before scans": lambda: in_jpeg(SCANS + b"\xff\xfe\0\x02" * MANY),
    "TEM markers": lambda: in_jpeg(b"\xff\x01" * MANY),
    "filling in a scan": lambda: in_jpeg(SCANS)[:-2] + b"\xff" * MANY + JPG[-2:],
    "sub-blocks": lambda: in_gif(b"\x21\xfe" + b"\x01a" * MANY + b"\0"),
    "extensions": lambda: in_gif(b"\x21\xfe\0" * MANY),
    "frames": lambda: in_gif(SMALLEST * MANY),
    "IDATs": lambda: png_of_chunks(HEADER, b"", *[(b"IDAT", b"")] * (2 * MOST_PARTS)),
    "texts": lambda: png_of_chunks(HEADER, b"", *[(b"tEXt", b"a")] * (2 * MOST_PARTS)),
    "WebP chunks": lambda: in_webp(b"XXXX\0\0\0\0" * MANY),
}


@pytest.mark.parametrize("name", PIECES)
def test_a_file_of_very_many_pieces_is_refused_at_once(tmp_path, name):
    file = write(tmp_path / "image", PIECES[name]())
    began = time.process_time()
    examined = examine(file)
    assert time.process_time() - began < 3
    assert examined.reason.startswith("refused before decoding: a ")
    assert examined.reason.endswith("; save it again with an image editor")


def test_the_pieces_of_a_large_image_pass():
    whole = math.ceil(600_000_000 / 4096)
    check_content(png_of_chunks(HEADER, b"", *[(b"IDAT", b"")] * whole))
    full = b"\xff" + b"a" * 255
    check_content(in_gif((b"\x21\xfe" + full * 100 + b"\0") * 4000))  # 100 MB in full blocks
    check_content(in_jpeg((b"\xff\xe2\0\x40" + bytes(62)) * 10_000))
