"""How the files of a store are treated, by their names: the stores say so, in stores.layout."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Rules:
    """What the names of a store's files and folders say of them."""

    # Files that commit their folder: they are published last, and deleted first.
    records: frozenset[str] = frozenset()
    # The beginning of the name of such a folder: it is there once its record is.
    recorded: re.Pattern[str] = re.compile("(?!)")
    # The folder in such a folder whose files stay when the others are replaced.
    kept: str = ""
    # Folders and files of one machine: they are never put at an address.
    machine: frozenset[str] = frozenset()
    # What is not refreshed with the folder above it, but for itself.
    apart: frozenset[str] = frozenset()
    # Folders whose files may be of any size.
    large: frozenset[str] = frozenset()
    # Files that are replaced under their names.
    replaced: frozenset[str] = frozenset()
    # Pattern of the files whose copies are deleted, and fetched again, to make room.
    cached: str = ""


NO_RULES = Rules()
