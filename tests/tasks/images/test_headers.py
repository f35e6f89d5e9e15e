"""What a header announces is what the decoder makes room for."""

import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.images import gif, jpeg
from tasks.images.bmp import misread
from tasks.images.exif import orientation
from tasks.images.headers import announced_size, other_format
from tasks.images.png import chunks, unpacks_to_more
from tests.support.images import damaged, encoded, every_kind, pixels

KINDS = every_kind() | {
    "lossy.webp": encoded(pixels(0), "WEBP"),
    "lossless.webp": encoded(pixels(0), "WEBP", lossless=True),
    "extended.webp": encoded(pixels(0), "WEBP", exif=b"Exif\0\0"),
}


def decoded_size(content):
    image = tf.image.decode_image(content, channels=3, expand_animations=False)
    return tuple(image.shape[:2])


@pytest.mark.parametrize("name", KINDS)
def test_the_announced_size_is_the_decoded_one(name):
    assert announced_size(KINDS[name]) == decoded_size(KINDS[name])


def test_segments_and_markers_before_the_frame_are_passed_over():
    content = KINDS["rgb.jpg"]
    frame, tables = content.index(b"\xff\xc0"), content.index(b"\xff\xc4")
    scan = content.index(b"\xff\xda")
    odd = b"\xff\x01" + b"\xff\xd0" + b"\xff\xff\xff\xfe\0\x04\xff\xc0"  # a comment
    moved = content[:frame] + odd + content[tables:scan] + content[frame:tables] + content[scan:]
    assert announced_size(moved) == decoded_size(moved) == (37, 53)


@settings(max_examples=500, deadline=None)
@given(damaged(".jpg", ".png", ".gif", ".bmp"))
def test_a_damaged_header_announces_what_the_decoder_makes_of_it(content):
    try:
        decoded = decoded_size(content)
    except tf.errors.OpError:
        return
    assert announced_size(content) == decoded


@settings(max_examples=500)
@given(st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG", b"GIF89a", b"BM"]), st.binary())
def test_no_header_is_too_odd_to_be_looked_at(start, rest):
    assert min(announced_size(start + rest)) >= 0
    content = start + rest
    assert isinstance(other_format(content) + misread(content), str)
    assert 1 <= orientation(content) <= 8
    assert jpeg.scans(content) >= 0
    assert len(list(chunks(content))) <= len(content)
    assert not unpacks_to_more(content, 2**27)


def test_room_is_made_for_every_frame_of_an_animation():
    sizes = [(3, 4), (5, 2), (1, 9)]
    files = [encoded(pixels(0, *size)[..., 0], "GIF", optimize=False) for size in sizes]
    starts = [file.index(b"\x2c\0\0\0\0") for file in files]  # all share the palette before it
    frames = [file[start:-1] for file, start in zip(files, starts, strict=True)]
    content = files[0][: starts[0]] + b"".join(frames) + b";"
    assert [(f.height, f.width) for f in gif.frames(content)] == sizes
    assert announced_size(content) == decoded_size(content) == (5, 9)
