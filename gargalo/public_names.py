"""The public names, and where they are: looked at without importing what they stand for."""

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

from gargalo.packages import HOME

CLASSES = {
    "ExtractionError": "tasks.errors",
    "FeatureStore": "stores.features.store",
    "HeadClassifier": "tasks.heads.sklearn_estimator",
    "InputError": "tasks.errors",
    "Manifest": "stores.manifest",
    "RunStore": "stores.runs.store",
    "StoreError": "stores.errors",
    "feature_dataset": "tasks.features.tf_dataset",
}
_DOCSTRING = re.compile(r'"""(.*?)"""', re.DOTALL)
_COMMAND = re.compile(r"^Command (\d+): (.+)$", re.MULTILINE)
_EXAMPLE = re.compile(r"^    >>> (.+)$", re.MULTILINE)


class Command(NamedTuple):
    """A flow, as the docstring of its file, `flows/NAME.py`, introduces it."""

    place: int  # in the list of commands; those of one place come by name
    name: str
    about: str
    example: tuple[str, ...]  # lines of Python; without any, it is no function


@cache
def commands() -> dict[str, Command]:
    """Return the commands by name, in their order.

    The docstrings are read from the files: to import a flow takes seconds, and to parse them all
    half the time of `gargalo --help`.
    """
    found = []
    for path in (Path(HOME) / "flows").glob("*.py"):
        docstring = _DOCSTRING.match(path.read_text(encoding="utf-8"))
        if docstring and (told := _COMMAND.search(docstring[1])):
            example = tuple(_EXAMPLE.findall(docstring[1]))
            found.append(Command(int(told[1]), path.stem, told[2], example))
    return {command.name: command for command in sorted(found)}


def function_names() -> list[str]:
    """Return the names of the commands that are functions too: all but the server."""
    return sorted(command.name for command in commands().values() if command.example)
