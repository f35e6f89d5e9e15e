"""What a TIFF says of itself is checked before libtiff or Pillow believe it."""

import io

import numpy as np
import pytest
from PIL import Image

from tasks.errors import InputError
from tasks.images import tiff
from tests.support.images import encoded, pixels
from tests.support.images import tiff as made

RGB = pixels(0)
EXIF = Image.Exif()
EXIF[0x0112] = 6
EXIF.get_ifd(0x8825)[1] = "N"


def of_pages(count):
    others = [Image.fromarray(pixels(n)) for n in range(1, count)]
    return encoded(Image.fromarray(RGB), "TIFF", save_all=True, append_images=others)


def test_what_is_sound_passes():
    content = made()
    tiff.check(content)
    assert (tiff.size(content), tiff.bits_a_channel(content)) == ((6, 10), 8)
    assert tiff.pages(content) == tiff.orientation(content) == 1


@pytest.mark.parametrize("big", [False, True])
def test_orientation_and_pages_are_read(big):
    content = encoded(RGB, "TIFF", exif=EXIF, big_tiff=big)
    assert (tiff.orientation(content), tiff.size(content)) == (6, RGB.shape[:2])
    assert tiff.pages(of_pages(3)) == 3


def test_directories_in_a_ring_are_counted_once():
    content = bytearray(made())
    at = int.from_bytes(content[4:8], "little")
    end = at + 2 + 12 * int.from_bytes(content[at : at + 2], "little")
    content[end : end + 4] = content[4:8]
    assert tiff.pages(bytes(content)) == 1


@pytest.mark.parametrize("big", [False, True])
def test_pillow_gets_the_tags_of_the_pixels_and_no_others(big):
    """The kind: what hostile metadata refers to is read, however large."""
    copy = tiff.only_pixels(encoded(RGB, "TIFF", exif=EXIF, big_tiff=big, description="a" * 999))
    with Image.open(io.BytesIO(copy)) as image:
        assert np.array_equal(np.asarray(image), RGB)  # as stored, not turned
        assert {0x0112, 0x8825, 270} & set(image.tag_v2) == set()
        assert image.n_frames == 1
    with Image.open(io.BytesIO(tiff.only_pixels(of_pages(2)))) as image:
        assert image.n_frames == 1


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({279: [10_000]}, "reaches beyond the file"),
        ({278: [1]}, "expected 6 strips or tiles, found 1"),
        ({278: [0]}, "has no pixels"),
        ({277: [200]}, "200 samples a pixel"),
        ({322: [16], 323: [16]}, "expected 1 strips or tiles, found 0"),
        ({273: [0] * 300_000}, "a TIFF with 300,000 numbers in tag 273"),
        ({339: [2]}, "signed or decimal"),
        ({254: [1]}, "whose first image is a reduced one"),
    ],
)
def test_what_would_mislead_a_decoder_is_refused(more, why):
    with pytest.raises(InputError, match=why):
        tiff.check(made(more=more))


def test_a_tag_that_stands_twice_is_refused():
    """The kind: libtiff takes the first and Pillow the last."""
    content = bytearray(made())
    at = int.from_bytes(content[4:8], "little") + 2
    content[at : at + 2] = content[at + 12 : at + 14]
    with pytest.raises(InputError, match="it has tag 257 twice"):
        tiff.check(bytes(content))


@pytest.mark.parametrize("end", [4, 8, 9, 100, 190, 250])
def test_a_cut_file_is_refused(end):
    with pytest.raises(InputError, match="a damaged TIFF"):
        tiff.check(made()[:end])


def test_the_scans_of_jpegs_in_it_are_counted():
    content = encoded(RGB, "TIFF", compression="jpeg")
    tiff.check(content)
    first = tiff._first(content)
    place = first.number(273, 0)
    marks = b"\xff\xda" * 300
    spoilt = content[:place] + marks + content[place + len(marks) :]
    width, height = first.tags[256].values, first.tags[257].values
    large = bytearray(spoilt)
    for at in (width, height, first.tags[278].values):
        large[at : at + 2] = (12_000).to_bytes(2, "little")
    with pytest.raises(InputError, match=r"JPEGs with 30. scans of 12000×12000"):
        tiff.check(bytes(large))
