"""Imports go one way: deployments → flows → tasks → stores, and from room to room within them.

`gargalo` only hands names on.
"""

import ast
import sys
from graphlib import CycleError, TopologicalSorter

import pytest

from tests.support.places import ROOT

FOLDERS = ("stores", "tasks", "flows", "deployments")  # each may import itself and those before it
# The rooms of a folder, each of which may import itself and those before it. What lies in the
# folder itself and is named here stands where it is named; `errors` and the like come before all.
ROOMS = {
    "stores": [
        "storage",
        "layout",
        "dataset_places",
        "manifest_rows",
        "manifest_checks",
        "manifest_counts",
        "manifest_digests",
        "manifest",
        "decisions",
        "features",
        "int8_recipes",
        "quantized",
        "runs",
        "merge",
    ],
    "tasks": [
        "execution",
        "images",
        "datasets",
        "backbones",
        "features",
        "heads",
        "evaluation",
        "quantization",
        "training",
        "finetune",
        "inference",
        "exploration",
        "report",
        "export",
        "advice",
        "maintenance",
        "review",
    ],
}
STORES_NEED = {"numpy", "h5py", "pyarrow", "xxhash", "fsspec", "pydantic", "pydantic_core"}
FILES = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]


def module_of(path):
    """Return the dotted name of a source file."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_of(path): path for path in FILES}


def imported(source, modules=()):
    """Return the names of all modules that a source imports, wherever it does.

    What is imported from a package may be a module itself: it is one where `modules` has it.
    """
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            names |= inner & set(modules) or {node.module or ""}
    return names


def at_the_top(source):
    """Return the packages that a source imports as soon as it is imported itself."""
    whole = ast.parse(source)
    inside = {
        id(part)
        for node in ast.walk(whole)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for part in ast.walk(node)
    }
    nodes = [node for node in ast.walk(whole) if id(node) not in inside]
    names = {a.name for node in nodes if isinstance(node, ast.Import) for a in node.names}
    names |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    return {name.partition(".")[0] for name in names}


def astray(folder, source):
    """Return the imports that a source in a folder must not have."""
    names = {name.partition(".")[0] for name in imported(source)}
    if folder == "stores":
        return names - STORES_NEED - {"stores"} - sys.stdlib_module_names
    later = set(FOLDERS[FOLDERS.index(folder) + 1 :])
    steps_only = set() if folder == "tasks" else {"tensorflow", "keras", "sklearn", "h5py"}
    return names & (later | steps_only | {"tests", "benchmarks"})


def place(module):
    """Return where a module's room stands in the order of its folder; -1: before all rooms."""
    folder, _, rest = module.partition(".")
    room = rest.partition(".")[0]
    return ROOMS[folder].index(room) if room in ROOMS[folder] else -1


def upwards(module, source):
    """Return the modules of the same folder that a module imports from rooms after its own."""
    folder = module.partition(".")[0]
    if folder not in ROOMS or module == folder:  # `stores` itself only hands names on
        return set()
    own = {name for name in imported(source, MODULES) if name.startswith(f"{folder}.")}
    return {name for name in own if place(name) > place(module)}


def circle(imports):
    """Return modules that import one another in a circle, [] where there is none."""
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        return error.args[1]
    return []


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_one_way(path):
    assert astray(path.relative_to(ROOT).parts[0], path.read_text()) == set()
    assert upwards(module_of(path), path.read_text()) == set()


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_an_extra_that_may_be_missing_is_imported_where_it_is_needed(path):
    assert "keras_hub" not in at_the_top(path.read_text())


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import keras_hub.models", {"keras_hub"}),
        ("try:\n    from keras_hub import models\nexcept ImportError:\n    pass", {"keras_hub"}),
        ("class A:\n    import keras_hub", {"keras_hub"}),
        ("def f():\n    import keras_hub", set()),
    ],
)
def test_an_import_at_the_top_is_found(source, found):
    assert at_the_top(source) == found


def test_no_modules_import_one_another():
    imports = {name: imported(path.read_text(), MODULES) for name, path in MODULES.items()}
    assert circle({name: names & set(MODULES) - {name} for name, names in imports.items()}) == []


def test_there_is_something_to_read():
    assert {path.relative_to(ROOT).parts[0] for path in FILES} == set(FOLDERS)


@pytest.mark.parametrize("folder", sorted(ROOMS))
def test_each_room_is_there_and_has_its_place(folder):
    rooms = {path.name for path in (ROOT / folder).iterdir() if (path / "__init__.py").exists()}
    assert rooms <= set(ROOMS[folder])
    assert all((ROOT / folder / room).exists() or f"{folder}.{room}" in MODULES for room in rooms)


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


@pytest.mark.parametrize(
    ("module", "source", "wrong"),
    [
        ("tasks.images.headers", "from tasks.report.write import report", {"tasks.report.write"}),
        ("tasks.images.headers", "from tasks.report import write", {"tasks.report.write"}),
        ("tasks.images.headers", "def f():\n    import tasks.heads.svm", {"tasks.heads.svm"}),
        ("tasks.images.headers", "from tasks.images.png import x\nimport tasks.errors", set()),
        ("tasks.errors", "from tasks.execution.retries import f", {"tasks.execution.retries"}),
        ("stores.manifest", "from stores.runs.record import Run", {"stores.runs.record"}),
        ("stores.manifest", "from stores.storage.publish import publish_file", set()),
    ],
)
def test_an_import_upwards_is_found(module, source, wrong):
    assert upwards(module, source) == wrong


def test_a_circle_is_found():
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"a"}}) != []
    assert circle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []
