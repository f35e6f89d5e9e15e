"""What is no regular file is refused at once, whoever asks for its pixels."""

import os
import socket
import threading
from contextlib import closing, suppress
from pathlib import Path

import pytest

from stores.keys import ImageKey
from tasks.errors import InputError
from tasks.export.load import ExportedModel, predict_by
from tasks.images import image_files
from tasks.images.image_check import examine
from tasks.images.image_files import read_image
from tasks.images.pixel_batches import ImageFile, pixel_batches
from tasks.images.thumbnails import placeholder, thumbnail
from tasks.inference.captioned_grid import grid
from tests.support.images import small_png, write
from tests.support.samples import RECIPE


def pipe(path):
    os.mkfifo(path)


def a_socket(path):
    with closing(socket.socket(socket.AF_UNIX)) as server, suppress(OSError):
        server.bind(str(path))


KEY = ImageKey.of(b"")
SPECIAL = {
    "pipe": (pipe, "a pipe"),
    "socket": (a_socket, "No such device"),  # the system opens none
    "folder": (Path.mkdir, "a folder"),
    "device": (lambda path: path.symlink_to("/dev/null"), "a device"),
}


@pytest.fixture(params=SPECIAL)
def special(request, tmp_path):
    """A path that is no regular file, and what is said of it; whoever waits for it is let go."""
    make, what = SPECIAL[request.param]
    path = tmp_path / "camera.jpg"
    make(path)
    waited = []

    def let_go():
        with suppress(OSError):  # where nobody waits
            os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
            waited.append(path)

    timer = threading.Timer(30, let_go)
    timer.start()
    yield path, what
    timer.cancel()
    assert not waited


def streamed(path):
    with pixel_batches([ImageFile(KEY, path.name)], path.parent, RECIPE, batch_size=1) as batches:
        return [told.reason for batch in batches for told in batch.rejected]


def predicted(path):
    return [told.reason for told in predict_by([path], ExportedModel(None, None))]


DOORS = {
    "examine": lambda path: [examine(path).reason],
    "extract, fine-tune, predict": streamed,
    "predict by an exported model": predicted,
}


def test_it_is_not_read(special):
    path, _ = special
    with pytest.raises((InputError, OSError)):
        read_image(path)


@pytest.mark.parametrize("door", DOORS)
def test_every_door_refuses_it(special, door):
    path, what = special
    (reason,) = DOORS[door](path)
    assert reason.startswith("cannot be read: ")
    assert what in reason


def test_no_picture_is_made_of_it(special):
    path, _ = special
    assert thumbnail(path, KEY) == placeholder("cannot be read")
    assert grid([(path, "")])


def test_a_file_larger_than_any_image_is_not_read(tmp_path, monkeypatch):
    path = write(tmp_path / "image.png", small_png(0))
    assert read_image(path) == small_png(0)
    with path.open("r+b") as file:
        file.truncate(image_files.LARGEST_BYTES + 1)  # sparse: it takes no room
    assert "a file of 715827881 bytes, expected at most 715 MB" in examine(path).reason
    monkeypatch.setattr(image_files, "LARGEST_BYTES", 10)
    with pytest.raises(InputError, match="refused before decoding"):
        read_image(path)
