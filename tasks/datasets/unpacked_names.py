"""Names for images that become files: those that a table gives them, if they are safe, or digests.

The names in a table are somebody else's: none may lead out of the folder, hide a file, or take the
place of another.
"""

import hashlib
import unicodedata
from pathlib import Path, PurePosixPath

from stores.errors import StoreError
from stores.printable import visible
from stores.storage.safe_files import within
from tasks.datasets.folder_structure import is_left_out, is_of_system
from tasks.images.headers import pillow_plugin
from tasks.images.image_files import IMAGE_ENDINGS

_LONGEST, _LONGEST_PART, _DEEPEST = 1000, 200, 32  # bytes, bytes of a part, parts
_DIGITS = 16
_ENDINGS = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "PNG": (".png",),
    "GIF": (".gif",),
    "BMP": (".bmp",),
    "WEBP": (".webp",),
    "TIFF": (".tif", ".tiff"),
    "AVIF": (".avif",),
    "HEIF": (".heic", ".heif", ".hif"),
}
_NO_IMAGE = ".bin"


class Names:
    """Gives each image of a table its name; the same images in the same order get the same ones."""

    def __init__(self) -> None:
        self._files: set[str] = set()
        self._folders: set[str] = set()
        self._copies: dict[str, int] = {}

    def name(self, content: bytes, given: str | None) -> str:
        """Return the name of an image that is `given` one, or none, below a folder.

        No two names are the same on a file system that ignores case, or how accents are written.
        """
        path = PurePosixPath(given) if given and is_plain(given) else None
        if path and self._claim(name := with_ending(path, content)):
            return name
        digest = hashlib.sha256(content).hexdigest()[:_DIGITS]
        stem = path.with_name(f"{path.stem}-{digest}") if path else PurePosixPath(digest)
        if path and self._is_below_a_file(_key(str(path))):
            stem = PurePosixPath(digest)
        number = self._copies.get(str(stem), 0)
        while True:
            number += 1
            numbered = f"{stem.name}-{number}" if number > 1 else stem.name
            name = with_ending(stem.with_name(numbered), content)
            if self._claim(name):
                self._copies[str(stem)] = number
                return name

    def _claim(self, name: str) -> bool:
        """Take a name, if neither a file nor a folder has it, and no folder of it is a file."""
        key = _key(name)
        if key in self._files or key in self._folders or self._is_below_a_file(key):
            return False
        self._files.add(key)
        self._folders.update(map(str, PurePosixPath(key).parents))
        return True

    def _is_below_a_file(self, key: str) -> bool:
        return any(str(parent) in self._files for parent in PurePosixPath(key).parents)


def is_plain(name: str) -> bool:
    """Return whether a name is a path below a folder that is seen there, and can be read."""
    try:
        within(Path(), name)
    except (StoreError, UnicodeError):  # of no file; or no text
        return False
    parts = name.split("/")
    fits = len(name.encode()) <= _LONGEST and len(parts) <= _DEEPEST
    return (
        fits
        and visible(name) == name
        and all(part == part.strip() and len(part.encode()) <= _LONGEST_PART for part in parts)
        and not any(is_left_out(part) or is_of_system(part) for part in parts)
    )


def with_ending(path: PurePosixPath, content: bytes) -> str:
    """Return a path with an ending of the content's format; that of another one gives way."""
    endings, own = _ENDINGS.get(pillow_plugin(content), ()), path.suffix.lower()
    if own in endings or (own in IMAGE_ENDINGS and not endings):
        return str(path)
    stem = path.stem if own in IMAGE_ENDINGS else path.name
    return str(path.with_name(stem + (endings[0] if endings else _NO_IMAGE)))


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
