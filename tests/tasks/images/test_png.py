"""What a PNG's data unpacks to is known before it is decoded."""

import struct
import zlib

import pytest

from tasks.images.png import bits_a_channel, chunks, has_alpha, unpacks_to_more
from tests.support.images import encoded, every_kind, pixels, png_of_chunks

KINDS = {name: content for name, content in every_kind().items() if name.endswith(".png")}
SPARE = 2**20
TEN = struct.pack(">IIBBBBB", 10, 10, 8, 2, 0, 0, 0)


def packed(size):
    """Return zeros, deflated."""
    packer = zlib.compressobj(9)
    return b"".join(packer.compress(bytes(2**20)) for _ in range(size // 2**20)) + packer.flush()


@pytest.mark.parametrize("name", KINDS)
def test_an_image_unpacks_to_what_it_announces(name):
    assert not unpacks_to_more(KINDS[name], 0)
    bits = {"grey-16.png": 16, "rgb-16.png": 16, "black-and-white.png": 1, "palette.png": 4}
    assert bits_a_channel(KINDS[name]) == bits.get(name.replace("-transparent", ""), 8)


def test_a_large_image_unpacks_to_what_it_announces():
    assert not unpacks_to_more(encoded(pixels(0, 900, 1200), "PNG"), 0)


@pytest.mark.parametrize(
    "content",
    [
        png_of_chunks(TEN, packed(2**24)),
        png_of_chunks(TEN, packed(2**24)[:4000]),
        png_of_chunks(TEN, zlib.compress(bytes(310)), (b"zTXt", b"k\0\0" + packed(2**24))),
        png_of_chunks(TEN, zlib.compress(bytes(310)), *[(b"iTXt", bytes(9) + packed(2**19))] * 99),
    ],
    ids=["pixels", "pixels, cut", "text", "texts"],
)
def test_a_bomb_is_told_by_what_it_unpacks_to(content):
    assert len(content) < 100_000
    assert unpacks_to_more(content, SPARE)


def test_no_more_is_unpacked_than_has_to_be(monkeypatch):
    taken = []

    class Counted:
        def __init__(self):
            self.whole = zlib_decompressobj()

        def decompress(self, data, most):
            out = self.whole.decompress(data, most)
            taken.append(len(out))
            return out

        def __getattr__(self, name):
            return getattr(self.whole, name)

    zlib_decompressobj = zlib.decompressobj
    monkeypatch.setattr(zlib, "decompressobj", Counted)
    assert unpacks_to_more(png_of_chunks(TEN, packed(2**28)), SPARE)
    assert sum(taken) < 3 * SPARE
    taken.clear()
    assert not unpacks_to_more(KINDS["rgb.png"], 2**27)  # so few bytes cannot hold so much
    assert not taken


def test_transparency_is_a_channel_or_a_chunk():
    assert [name for name, content in KINDS.items() if has_alpha(content)] == [
        "palette-transparent.png",
        "rgba.png",
        "grey-alpha.png",
    ]


def test_chunks_end_with_the_file():
    content = KINDS["rgb.png"]
    assert [kind for kind, _ in chunks(content)] == [b"IHDR", b"IDAT", b"IEND"]
    for end in range(len(content)):
        assert len(list(chunks(content[:end]))) <= 3
    assert list(chunks(encoded(pixels(0), "JPEG"))) == []
