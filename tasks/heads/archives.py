"""A check of zip files with heads, so that they do not unpack to gigabytes when loaded.

NumPy and skops write uncompressed files.
"""

import zipfile
from pathlib import Path


def check_stored(path: Path) -> None:
    """Raise ValueError if parts are compressed, or share the same bytes of the file."""
    size = path.stat().st_size
    with zipfile.ZipFile(path) as archive:
        parts = archive.infolist()
    if packed := [about for about in parts if about.file_size > about.compress_size]:
        raise ValueError(f"{path.name} has a compressed part, {packed[0].filename!r}")
    if (total := sum(about.file_size for about in parts)) > size:
        raise ValueError(f"{path.name} declares {total:,} bytes, but has {size:,}")
