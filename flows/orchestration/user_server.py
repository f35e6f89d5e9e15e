"""Whether the user has a Prefect server, asked before Prefect is imported: that takes seconds."""

import os
import sys
from pathlib import Path

from flows.orchestration.first_import import import_prefect, settings_files


def has_server() -> bool:
    """Return whether PREFECT_API_URL is set: in the environment, a profile or another file.

    Raises InputError where Prefect's settings cannot be read.
    """
    if "prefect" not in sys.modules and not _may_be_set():
        return False
    import_prefect()
    from prefect.settings import PREFECT_API_URL

    return bool(PREFECT_API_URL.value())


def _may_be_set() -> bool:
    """Return whether anything that Prefect reads mentions the address of a server."""
    if os.environ.get("PREFECT_API_URL"):
        return True
    return any(map(_may_set_it, settings_files()))


def _may_set_it(path: Path) -> bool:
    """Return whether a file may set it; one that cannot be read is Prefect's import's to report."""
    try:
        text = path.read_text(encoding="utf-8") if path.exists() else ""
    except (OSError, ValueError):
        return True
    words = "[tool.prefect" if path.name == "pyproject.toml" else "api"
    return words in text.lower()
