"""The first import of Prefect, which reads what a user has set, and waits or fails at length.

Its settings are read while it is imported: from variables, from files of the folder that one is
in, and from those of PREFECT_HOME. Here what is wrong with them is one line.
"""

import errno
import io
import os
import stat
import sys
import tomllib
import warnings
from collections.abc import Iterator
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

from yaml import YAMLError

from tasks.errors import InputError, what_is_wrong
from tasks.execution.user_files import kind_of_file

ANOTHER_HOME = "set PREFECT_HOME to a folder with write permission"
_FIX = "mend it or move it away, or set PREFECT_HOME to another folder"
_FIX_HERE = "mend it, or start in another folder"
_MISSING = {errno.ENOENT, errno.ENOTDIR}  # what is wrong with the folder is reported later


def import_prefect() -> None:
    """Import Prefect where that has not been done.

    Raises InputError where a file or a variable of its settings cannot be used.
    """
    if "prefect" in sys.modules:
        return
    # While it is imported on a terminal for the first time, it would report that.
    os.environ.setdefault("DO_NOT_TRACK", "1")
    # Of its folder; what needs a server says it in one line, and the rest needs no folder.
    warnings.filterwarnings("ignore", message="Failed to create the Prefect home")
    _status(_home(), ANOTHER_HOME)
    for path, fix in _toml_files():
        _check_toml(path, fix)
    for path in _logging_files():
        _is_file(path, _FIX)
    output = io.StringIO()  # Prefect reports wrong settings twice
    try:
        with redirect_stderr(output):
            import prefect
        import prefect.main  # noqa: F401
    except (OSError, ValueError, KeyError, YAMLError) as error:
        raise InputError(_in_one_line(error)) from None
    if sys.stderr:
        sys.stderr.write(output.getvalue())


def _home() -> Path:
    usual = os.path.join("~", ".prefect")  # noqa: PTH118
    return Path(os.path.expanduser(os.environ.get("PREFECT_HOME") or usual))  # noqa: PTH111


def _toml_files() -> Iterator[tuple[Path, str]]:
    """Yield the files of Prefect's settings, each with what can be done about it."""
    yield Path("prefect.toml"), _FIX_HERE
    yield Path("pyproject.toml"), _FIX_HERE
    if chosen := os.environ.get("PREFECT_PROFILES_PATH"):
        yield Path(chosen), "mend it, or unset PREFECT_PROFILES_PATH"
    else:
        yield _home() / "profiles.toml", _FIX


def settings_files() -> Iterator[Path]:
    """Yield the files in which a user may have set something for Prefect."""
    yield from (path for path, _ in _toml_files())
    yield Path(".env")


def _logging_files() -> Iterator[Path]:
    yield _home() / "logging.yml"
    for name in ("PREFECT_LOGGING_SETTINGS_PATH", "PREFECT_LOGGING_CONFIG_PATH"):
        if chosen := os.environ.get(name):
            yield Path(chosen)


def _check_toml(path: Path, fix: str) -> None:
    if not _is_file(path, fix):
        return
    try:
        content = tomllib.loads(path.read_bytes().decode())
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: expected TOML, as Prefect reads it: {error}; {fix}") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read by Prefect: {error.strerror}; {fix}") from None
    if path.name == "profiles.toml" and not _are_profiles(content):
        raise InputError(f"{path}: expected a table of settings for each profile; {fix}")


def _are_profiles(content: dict[str, Any]) -> bool:
    tables = content.get("profiles", {})
    if not isinstance(tables, dict) or not isinstance(content.get("active", ""), str):
        return False
    return all(isinstance(one, dict) for one in tables.values())


def _is_file(path: Path, fix: str) -> bool:
    """Tell whether there is a file; raises InputError for what would be waited for, or is none."""
    about = _status(path, fix)
    if about is None or str(path) == os.devnull:
        return False
    if not stat.S_ISREG(about.st_mode):
        kind = kind_of_file(about.st_mode)
        raise InputError(f"{path}: {kind}, expected a file of Prefect's settings; {fix}")
    return True


def _status(path: Path, fix: str) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError as error:
        if error.errno in _MISSING:
            return None
        raise InputError(f"{path}: cannot be used by Prefect: {error.strerror}; {fix}") from None


def _in_one_line(error: Exception) -> str:
    """Return what is wrong with Prefect's settings, by variable where it is one."""
    mistakes: list[dict[str, Any]] = [
        dict(mistake)
        for mistake in getattr(error, "errors", list)()
        if mistake["type"] != "default_factory_not_called"  # it follows from another
    ]
    if not mistakes:
        reason = " ".join(str(error).split())[:300]
        return f"Prefect cannot read its settings: {reason}; mend {_places()}"
    return "; ".join(map(_of_setting, mistakes))


def _of_setting(mistake: dict[str, Any]) -> str:
    """Return what is wrong with a setting, by the variable that it comes from, if it does."""
    setting = str(mistake["loc"][-1]) if mistake["loc"] else ""
    for name, value in os.environ.items():
        ours = name.startswith("PREFECT_") and name.endswith(setting.upper())
        if ours and value == str(mistake["input"]):
            return f"{name}: {what_is_wrong(mistake)}; correct or unset it"
    return f"Prefect's setting {setting!r}: {what_is_wrong(mistake)}; correct it in {_places()}"


def _places() -> str:
    files = (*(path for path, _ in _toml_files()), *_logging_files(), Path(".env"))
    return " or ".join(["a variable of the environment", *(str(f) for f in files if f.is_file())])
