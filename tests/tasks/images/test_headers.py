"""What a header announces is what the decoder makes room for."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.errors import InputError
from tasks.images import gif, jpeg
from tasks.images.bmp import misread
from tasks.images.exif import orientation
from tasks.images.headers import announced_size, by_pillow, other_format, pillow_plugin
from tasks.images.png import chunks, unpacks_to_more
from tests.support.images import bmp, damaged, encoded, every_kind, pixels

KINDS = every_kind() | {
    "lossy.webp": encoded(pixels(0), "WEBP"),
    "lossless.webp": encoded(pixels(0), "WEBP", lossless=True),
    "extended.webp": encoded(pixels(0), "WEBP", exif=b"Exif\0\0"),
}
RGBA = np.dstack([pixels(0), pixels(0)[..., :1]])
OF_PILLOW = {
    "rgb.tif": encoded(pixels(0), "TIFF"),
    "big.tif": encoded(pixels(0), "TIFF", big_tiff=True),
    "rgb.avif": encoded(pixels(0), "AVIF"),
    "os2.bmp": bmp(pixels(0), header=12),
    "alpha.webp": encoded(RGBA, "WEBP"),
    "lossless-alpha.webp": encoded(RGBA, "WEBP", lossless=True),
}
STARTS = [b"", b"\xff\xd8\xff", b"\x89PNG", b"GIF89a", b"BM", b"II*\0\x08\0\0\0", b"MM\0*"]
STARTS += [b"\0\0\0\x10ftypavif" + bytes(4), b"RIFF\0\0\0\0WEBPVP8X"]


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


@settings(max_examples=500)
@given(damaged(".jpg", ".png", ".gif", ".bmp"))
def test_a_damaged_header_announces_what_the_decoder_makes_of_it(content):
    try:
        decoded = decoded_size(content)
    except tf.errors.OpError:
        return
    if not misread(content):
        assert announced_size(content) == decoded


@pytest.mark.parametrize("name", OF_PILLOW)
def test_what_tensorflow_refuses_or_misreads_is_decoded_by_pillow_in_its_size(name):
    content = OF_PILLOW[name]
    assert by_pillow(content)
    assert announced_size(content) == (37, 53)
    if not name.endswith("bmp"):
        with pytest.raises(tf.errors.OpError):
            decoded_size(content)


@pytest.mark.parametrize("name", KINDS)
def test_what_tensorflow_reads_stays_with_it(name):
    assert not by_pillow(KINDS[name])


@settings(max_examples=300)
@given(st.data())
def test_tensorflow_refuses_the_webp_that_are_left_to_pillow_and_no_others(data):
    """The kind: two readings of one flag. Any byte of the header may be another one."""
    content = bytearray(
        data.draw(st.sampled_from([OF_PILLOW["alpha.webp"], KINDS["lossless.webp"]]))
    )
    content[data.draw(st.integers(12, 40))] = data.draw(st.integers(0, 255))
    try:
        decoded_size(bytes(content))
        reason = ""
    except tf.errors.OpError as error:
        reason = str(error)
    refused = "Number of channels" in reason or "Animation" in reason
    assert by_pillow(bytes(content)) == refused or (reason and not refused)


@settings(max_examples=500)
@given(st.sampled_from(STARTS), st.binary())
def test_no_header_is_too_odd_to_be_looked_at(start, rest):
    content = start + rest
    try:
        assert min(announced_size(content)) >= 0
    except InputError:
        assert pillow_plugin(content) == "TIFF"
    assert isinstance(by_pillow(content), bool)
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
