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
    "HeadRegressor": "tasks.heads.sklearn_estimator",
    "InputError": "tasks.errors",
    "Manifest": "stores.manifest",
    "RunStore": "stores.runs.store",
    "StoreError": "stores.errors",
    "feature_dataset": "tasks.features.tf_dataset",
}
_DOCSTRING = re.compile(r'"""(.*?)"""', re.DOTALL)
_COMMAND = re.compile(r"^Command (\d+): (.+)$", re.MULTILINE)
_CALL = re.compile(r"gargalo\.(\w+)\(")
_EXAMPLE = re.compile(r"^    >>> (.+)$", re.MULTILINE)


class Command(NamedTuple):
    """A flow, as the docstring of its file, `flows/NAME.py`, introduces it."""

    place: int  # in the list of commands; those of one place come by name. 0: it is no command
    name: str
    about: str
    example: tuple[str, ...]  # lines of Python; without any, it is no function

    @property
    def function(self) -> str:
        """The name of its function, of the example: the flow's, or one that is no built-in's."""
        return next((found[1] for line in self.example if (found := _CALL.search(line))), "")


@cache
def flows() -> dict[str, Command]:
    """Return the flows by name: the commands in their order, and those for Python alone.

    The docstrings are read from the files: to import a flow takes seconds, and to parse them all
    half the time of `gargalo --help`.
    """
    found = []
    for path in (Path(HOME) / "flows").glob("*.py"):
        if docstring := _DOCSTRING.match(path.read_text(encoding="utf-8")):
            told = _COMMAND.search(docstring[1])
            example = tuple(_EXAMPLE.findall(docstring[1]))
            place, about = (int(told[1]), told[2]) if told else (0, "")
            found += [Command(place, path.stem, about, example)] if told or example else []
    return {flow.name: flow for flow in sorted(found)}


def commands() -> dict[str, Command]:
    """Return the commands by name, in their order."""
    return {name: flow for name, flow in flows().items() if flow.place}


def function_names() -> list[str]:
    """Return the names of the functions: of all commands but the server, and `features`."""
    return sorted(functions())


def functions() -> dict[str, Command]:
    """Return the flows that are functions, by the name of the function."""
    return {flow.function: flow for flow in flows().values() if flow.example}
