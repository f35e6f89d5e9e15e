"""A file is an image that can be used, or the reason why not; nothing is raised."""

import hashlib
import re
import struct
import time

import pytest

from tasks.images import decoding as pixels
from tasks.images.image_check import LARGEST_PIXELS, Examined, examine
from tests.support.images import (
    bomb,
    every_kind,
    many_scans,
    refused_images,
    small_png,
    write,
)
from tests.support.samples import in_child

KINDS = every_kind()


@pytest.fixture
def file(tmp_path):
    """Return a function that writes an image file."""
    return lambda content: write(tmp_path / "image.jpg", content)


@pytest.fixture
def undecoded(monkeypatch):
    """No image is decoded in this test."""

    def fail(content):
        raise AssertionError(f"{len(content)} bytes are decoded")

    monkeypatch.setattr(pixels, "check_decodable", fail)


@pytest.mark.parametrize("name", sorted(set(KINDS) - {"cmyk.jpg", "animated.gif"}))
def test_a_good_image_is_accepted_under_the_hash_of_its_bytes(file, name):
    expected = hashlib.sha256(KINDS[name]).digest()
    assert examine(file(KINDS[name])) == Examined(expected, "accepted", "")


def test_an_animation_and_cmyk_are_accepted_with_a_remark(file):
    examined = examine(file(KINDS["animated.gif"]))
    assert (examined.status, examined.reason[:18]) == ("accepted", "animated, 3 frames")
    examined = examine(file(KINDS["cmyk.jpg"]))
    assert (examined.status, examined.reason[:4]) == ("accepted", "CMYK")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"no image, but a text\n", "cannot be decoded: "),
        (KINDS["rgb.jpg"][:-200], "cannot be decoded: "),
        (KINDS["rgb.png"][:-200], "cannot be decoded: "),
        (b"\xff\xd8\xff\xe0", "cannot be decoded: "),
    ],
)
def test_a_bad_file_is_rejected_with_a_reason(file, content, reason):
    examined = examine(file(content))
    assert examined.status == "rejected"
    assert examined.reason.startswith(reason)
    assert examined.key == hashlib.sha256(content).digest()


def test_every_cut_of_an_animation_is_examined(file):
    content = KINDS["animated.gif"]
    statuses = {examine(file(content[:end])).status for end in range(0, len(content), 60)}
    assert statuses == {"accepted", "rejected"}


def without_adobe(content):
    """Return a CMYK JPEG without the segment that says how its inks are stored."""
    start = content.index(b"\xff\xee")
    return content[:start] + content[start + 2 + struct.unpack_from(">H", content, start + 2)[0] :]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (without_adobe(KINDS["cmyk.jpg"]), "a CMYK JPEG without Adobe's marker: .* save it as RGB"),
        (
            KINDS["rgb.bmp"][:18] + struct.pack("<i", -64) + KINDS["rgb.bmp"][22:],
            "a BMP with a negative width.* save it as PNG",
        ),
    ],
)
def test_what_decoders_disagree_on_is_refused_with_the_fix(file, content, reason):
    """The kind: pixels that are one program's, or a refusal that names no fix."""
    assert re.search(reason, examine(file(content)).reason)


def test_a_bomb_is_refused_before_it_is_decoded(file, undecoded):
    content = bomb(30_000)
    began = time.process_time()
    examined = examine(file(content))
    assert len(content) < 1_000_000
    assert examined.status == "rejected"
    assert examined.reason.startswith("refused before decoding: 30000×30000 pixels, expected at")
    assert time.process_time() - began < 0.5


def jpeg_of(height, width):
    content = KINDS["rgb.jpg"]
    frame = content.index(b"\xff\xc0")
    return content[: frame + 5] + struct.pack(">HH", height, width) + content[frame + 9 :]


def gif_of(height, width, *, version=b"GIF89a", frames=1):
    """Return a GIF whose frames say that they are that large."""
    content = KINDS["static.gif"]
    start = content.index(b"\x2c\0\0\0\0")
    frame = content[start : start + 5] + struct.pack("<HH", width, height) + content[start + 9 : -1]
    return version + content[6:start] + frame * frames + b";"


@pytest.mark.parametrize(
    "content",
    [
        jpeg_of(20_000, 10_000),
        gif_of(20_000, 10_000),
        gif_of(20_000, 10_000, version=b"GIF80x"),  # Pillow does not know it, TensorFlow does
        gif_of(10_000, 10_000, frames=6),
        KINDS["rgb.bmp"][:18] + struct.pack("<ii", 10_000, -20_000) + KINDS["rgb.bmp"][26:],
    ],
    ids=["jpeg", "gif", "odd gif", "animation", "bmp"],
)
def test_other_formats_can_be_bombs_too(file, undecoded, content):
    assert examine(file(content)).reason.startswith("refused before decoding: ")


def test_the_largest_image_is_no_bomb(file, undecoded):
    with pytest.raises(AssertionError, match="are decoded"):
        examine(file(jpeg_of(LARGEST_PIXELS // 10_000, 10_000)))
    assert examine(file(jpeg_of(LARGEST_PIXELS // 10_000 + 1, 10_000))).status == "rejected"


def test_an_unreadable_file_is_rejected_without_a_key(public):
    file = write(public / "image.png", small_png(0))
    file.chmod(0)
    examined = in_child(lambda: examine(file), nobody=True)
    assert examined == Examined(None, "rejected", "cannot be read: Permission denied")


def test_a_file_that_is_gone_is_rejected_without_a_key(tmp_path):
    examined = examine(tmp_path / "gone.png")
    assert examined == Examined(None, "rejected", "cannot be read: No such file or directory")


@pytest.mark.parametrize("name", refused_images())
def test_what_would_be_misread_or_cost_too_much_is_refused_undecoded(tmp_path, name, undecoded):
    began = time.process_time()
    examined = examine(write(tmp_path / name, refused_images()[name]))
    assert time.process_time() - began < 2
    assert examined.status == "rejected"
    assert examined.reason.startswith(("refused before", "a BMP", "a TIFF", "cannot be"))
    assert any(way in examined.reason for way in ("save it", "scale it"))


@pytest.mark.parametrize(("side", "count", "refused"), [(3000, 40, False), (9000, 40, True)])
def test_scans_are_bounded_by_pixels(file, undecoded, side, count, refused):
    progressive = every_kind()["progressive.jpg"]
    place = progressive.index(b"\xff\xc2")
    size = struct.pack(">HH", side, side)
    content = progressive[: place + 5] + size + progressive[place + 9 :]
    if refused:
        assert (
            "a JPEG of 49 scans of 9000×9000 pixels"
            in examine(file(many_scans(content, count))).reason
        )
    else:
        with pytest.raises(AssertionError, match="are decoded"):
            examine(file(many_scans(content, count)))


def test_many_scans_are_bounded_by_their_data_too(file):
    """The kind: scans that are few, but long. Data behind a photograph, as a film, is no scan."""
    progressive, appended = every_kind()["progressive.jpg"], bytes(54_000_000)
    assert "a JPEG of 49 scans" in examine(file(many_scans(progressive, 40) + appended)).reason
    assert examine(file(progressive + appended)).status == "accepted"


def test_an_embedded_thumbnail_is_no_scan(file):
    thumbnails = b"\xff\xe2" + struct.pack(">H", 2 + 2000) + b"\xff\xda" * 1000
    content = KINDS["rgb.jpg"]
    assert examine(file(content[:2] + thumbnails + content[2:])).status == "accepted"
