"""Image files are opened here, and nowhere else: what is no regular file is not waited for."""

from pathlib import Path

from tasks.errors import InputError
from tasks.execution.user_files import opened, size_of

# Twice Pillow's warning limit, where Pillow too refuses: 178,956,970 pixels of 3 bytes are half a
# gigabyte.
LARGEST_PIXELS = 2 * 89_478_485
LARGEST_BYTES = 4 * LARGEST_PIXELS  # of a file; none that holds them uncompressed is larger


def read_image(path: Path | str) -> bytes:
    """Return the bytes of an image file.

    Raises OSError where it cannot be read; InputError where it is a pipe or a device, which may
    have no end and no beginning, or larger than any image.
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
