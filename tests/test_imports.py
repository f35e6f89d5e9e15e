"""Imports go one way: deployments → flows → tasks → stores (DESIGN, §2)."""

import ast
import sys

import pytest

from tests.support.places import ROOT

FOLDERS = ("stores", "tasks", "flows", "deployments")  # each may import itself and those before it
STORES_NEED = {"numpy", "h5py", "pyarrow", "xxhash", "fsspec", "pydantic", "stores"}
FILES = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]


def imported(source):
    """Return the top-level names of all modules that a source imports, wherever it does."""
    nodes = list(ast.walk(ast.parse(source)))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    return {name.partition(".")[0] for name in names}


def astray(folder, source):
    """Return the imports that a source in a folder must not have."""
    names = imported(source)
    if folder == "stores":
        return names - STORES_NEED - sys.stdlib_module_names
    later = set(FOLDERS[FOLDERS.index(folder) + 1 :])
    steps_only = set() if folder == "tasks" else {"tensorflow", "keras", "sklearn", "h5py"}
    return names & (later | steps_only | {"tests", "benchmarks"})


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_one_way(path):
    assert astray(path.relative_to(ROOT).parts[0], path.read_text()) == set()


def test_there_is_something_to_read():
    assert {path.parent.name for path in FILES} >= {"stores", "tasks"}


@pytest.mark.parametrize(
    ("folder", "source", "wrong"),
    [
        ("stores", "import prefect", {"prefect"}),
        ("stores", "import numpy, tensorflow as tf", {"tensorflow"}),
        ("stores", "def f():\n    from keras.layers import Dense", {"keras"}),
        ("stores", "if TYPE_CHECKING:\n    from tasks.datasets.ingest import ingest", {"tasks"}),
        ("stores", "import json\nimport h5py\nfrom stores.keys import Keys", set()),
        ("tasks", "from flows import train", {"flows"}),
        ("tasks", "import keras, prefect\nfrom stores import Run", set()),
        ("flows", "import deployments.serve", {"deployments"}),
        ("flows", "def f():\n    import keras", {"keras"}),
        ("flows", "import prefect, tasks, stores", set()),
        ("deployments", "from flows.train import train", set()),
    ],
)
def test_a_wrong_import_is_found(folder, source, wrong):
    assert astray(folder, source) == wrong
