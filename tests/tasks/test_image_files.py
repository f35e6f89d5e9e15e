"""What is no regular file is refused at once, whoever asks for its pixels."""

import os
import socket
from contextlib import closing, suppress
from pathlib import Path

import pytest

from stores.keys import ImageKey
from tasks import image_files
from tasks.errors import InputError
from tasks.examine import examine
from tasks.exported import ExportedModel, predict_by
from tasks.grid import grid
from tasks.image_files import read_image
from tasks.pictures import placeholder, thumbnail
from tasks.stream import ImageFile, pixel_batches
from tests.stores.samples import RECIPE, in_child
from tests.tasks.images import small_png, write


def pipe(path):
    os.mkfifo(path)


def a_socket(path):
    with closing(socket.socket(socket.AF_UNIX)) as server, suppress(OSError):
        server.bind(str(path))


SPECIAL = {
    "pipe": (pipe, "a pipe"),
    "socket": (a_socket, "cannot be read"),  # the system does not open one
    "folder": (Path.mkdir, "a folder"),
    "device": (lambda path: path.symlink_to("/dev/zero"), "a device"),
    "terminal": (lambda path: path.symlink_to("/dev/tty"), "cannot be read"),
}


@pytest.fixture(params=SPECIAL)
def special(request, tmp_path):
    """A path that is no regular file, and what is said of it."""
    make, what = SPECIAL[request.param]
    make(tmp_path / "camera.jpg")
    return tmp_path / "camera.jpg", what


def test_it_is_not_read(special):
    path, what = special
    with pytest.raises((InputError, OSError)):
        in_child(lambda: read_image(path), seconds=5)
    assert what in in_child(lambda: examine(path), seconds=5).reason


def test_every_door_refuses_it(special):
    path, _ = special
    key, model = ImageKey.of(b""), ExportedModel(None, (), "probability")

    def streamed():
        image = ImageFile(key, path.name)
        with pixel_batches([image], path.parent, RECIPE, batch_size=1) as batches:
            return [rejection.changed for batch in batches for rejection in batch.rejected]

    if "camera" in path.name and path.is_fifo():
        assert in_child(streamed, seconds=5) == [True]
    assert in_child(lambda: thumbnail(path, key), seconds=5) == placeholder("cannot be read")
    assert in_child(lambda: bool(grid([(path, "")])), seconds=20)
    (told,) = in_child(lambda: list(predict_by([path], model)), seconds=20)
    assert told.predicted is None
    assert told.reason.startswith("cannot be read: ")


def test_a_file_larger_than_any_image_is_not_read(tmp_path, monkeypatch):
    path = write(tmp_path / "image.png", small_png(0))
    assert read_image(path) == small_png(0)
    with path.open("r+b") as file:
        file.truncate(image_files.LARGEST_BYTES + 1)  # sparse: it takes no room
    assert "a file of 715827881 bytes, expected at most 715 MB" in examine(path).reason
    monkeypatch.setattr(image_files, "LARGEST_BYTES", 10)
    with pytest.raises(InputError, match="refused before decoding"):
        read_image(path)
