"""Reading of image files: regular files only, up to a maximum size."""

from pathlib import Path

from tasks.errors import InputError
from tasks.execution.user_files import opened, size_of

# Of the files that are read as images; what a file is, its content says.
_OF_TENSORFLOW = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".bmp", ".webp")
IMAGE_ENDINGS = (*_OF_TENSORFLOW, ".tif", ".tiff", ".avif", ".heic", ".heif", ".hif")
# Twice Pillow's warning limit, where Pillow too refuses: 178,956,970 pixels of 3 bytes are half a
# gigabyte.
LARGEST_PIXELS = 2 * 89_478_485
LARGEST_BYTES = 4 * LARGEST_PIXELS  # of a file; none that holds them uncompressed is larger


def read_image(path: Path | str) -> bytes:
    """Return the content of an image file.

    Raises OSError if it cannot be read; InputError if it is a pipe or a device, or larger than any
    image.
    """
    with opened(path) as file:
        size = size_of(file)
        if size <= LARGEST_BYTES:
            content = file.read(LARGEST_BYTES + 1)
            if len(content) <= LARGEST_BYTES:
                return content
    raise InputError(
        f"refused before decoding: a file of {size} bytes, expected at most "
        f"{LARGEST_BYTES // 1_000_000} MB; scale the image down"
    )
