"""No value in a store's files, whatever its type, ends a command in anything but its own error.

Of each kind of file one value is replaced by an absurd one, and the digests are made right again:
whoever wrote the store may have chosen them.
"""

import contextlib
import copy
import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stores import FeatureStore, RunStore
from stores.dataset_places import datasets
from stores.errors import StoreError
from stores.features.layers import read_layers, remember_layers
from stores.features.recipe import Recipe, write_recipe
from stores.layout import locate
from stores.manifest import Manifest
from stores.merge.features import merge
from stores.runs.checkpoints import Checkpoints, all_checkpoints
from stores.runs.table import current_table
from stores.storage.digests import json_digest
from stores.storage.stamped_parquet import read_table, table_bytes
from tasks.errors import InputError
from tasks.evaluation.split_result import evaluate
from tasks.maintenance.maintain import collect_garbage, list_store, reindex, stats, verify
from tasks.report.leaderboard import leaderboard
from tasks.report.run_facts import run_facts
from tests.faults.conftest import FULL
from tests.stores.runs.test_record import RUN
from tests.support.runs import look, publish
from tests.support.samples import RECIPE, a_store, some_keys, some_rows
from tests.tasks.maintenance.test_verification import fill

JSON_FILES = {
    "recipe": "features/*/recipe.json",
    "run": "runs/*/run.json",
    "evaluation": "runs/*/test/*.json",
    "checkpoint": "checkpoints/*/*/checkpoint.json",
    "layers": "layers.json",
    "skipped": "features/*/skipped/*.json",
}
TABLES = {
    "index fragment": "features/*/index/*.parquet",
    "manifest": "datasets/*/manifest.parquet",
    "history": "runs/*/history.parquet",
    "predictions": "runs/*/predictions.parquet",
    "evaluated": "runs/*/test/*.parquet",
    "runs": "runs/runs.parquet",
}
_plain = st.sampled_from(
    [None, True, -1, 0, 2**63, 10**30, -(10**30), 1.5, 1e308, "", "x", "\x00", "../../x", "é" * 300]
)
ABSURD_VALUES = _plain | st.recursive(
    _plain,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
COLUMNS = [
    pa.array([None] * 3, pa.null()),
    pa.array(["x"] * 3),
    pa.array([-1] * 3),
    pa.array([2**63] * 3, pa.uint64()),
    pa.array([float("nan")] * 3),
    pa.array([[1, None]] * 3),
    pa.array([[]] * 3, pa.list_(pa.float64())),
    pa.array([b"x"] * 3),
    pa.array([{"a": 1}] * 3),
    pa.array([True, None, False]),
]
# Half of all pairs, but where all of the faults are: all kinds of files, and all contents.
OTHER_CONTENT = [
    (content, kind)
    for row, content in enumerate((b"", b"[" * 10**5, b"null", None))
    for column, kind in enumerate(JSON_FILES | TABLES)
    if FULL or (row + column) % 2 == 0
]
several = settings(max_examples=3, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(autouse=True)
def without_fsync(monkeypatch):
    """Durability is not what is tested, and takes a third of the time."""
    monkeypatch.setattr("os.fsync", lambda _: None)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A store with a file of each kind; its layer has a shard that is skipped."""
    root = fill(tmp_path_factory.mktemp("whole") / "store")
    layer, _, _ = a_store(root.parent / "layer", seed=3)
    (shard,) = (layer.folder / "shards").iterdir()
    shard.write_bytes(shard.read_bytes()[:-1])
    remember_layers(root, [layer.root])
    FeatureStore(root, RECIPE).missing(some_keys(1))
    look(RunStore(root), accuracy=0.25)
    return root


def check_rows_are_right(root):
    rows = FeatureStore(root, RECIPE).read(some_keys(6))
    assert np.array_equal(rows, some_rows(6))


def use(root, other):
    """Do with a store all that reads it; each may raise the store's own errors alone."""
    runs = RunStore(root)
    uses = [
        lambda: verify(root),
        lambda: list_store(root),
        lambda: stats(root),
        lambda: collect_garbage(root),
        lambda: check_rows_are_right(root),
        lambda: FeatureStore.open(root),
        lambda: FeatureStore.open(root, RECIPE.fingerprint),
        lambda: [Manifest.read(root, name).summary() for name in datasets(root)],
        lambda: [Manifest.read(root, name).select("train") for name in datasets(root)],
        lambda: RUN.id in runs,
        lambda: evaluate(runs.predictions(RUN.id), split="test", classes=RUN.classes),
        lambda: runs.history(RUN.id),
        lambda: runs.openings(RUN.id),
        lambda: runs.times_opened([b"k" * 32]),
        lambda: current_table(locate(root) / "runs"),
        lambda: leaderboard(root, sort_by="validation_accuracy"),
        lambda: run_facts(root, RUN.id),
        lambda: [kept.latest() for kept in all_checkpoints(root)],
        lambda: Checkpoints(root, "a" * 64).latest(),
        lambda: read_layers(root),
        lambda: merge(other, root),
        lambda: publish(runs),
        lambda: reindex(root),
    ]
    for one in uses:
        with contextlib.suppress(StoreError, InputError):
            one()


def places(value, at=()):
    """Yield the place of each value in JSON, as the names and numbers that lead there."""
    yield at
    if isinstance(value, dict | list):
        for name, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(inner, (*at, name))


def put(value, place, absurd):
    """Return JSON with another value at a place."""
    if not place:
        return absurd
    changed = copy.copy(value)
    changed[place[0]] = put(value[place[0]], place[1:], absurd)
    return changed


def with_right_digests(kind, about):
    """Return JSON whose digests are those of its content, where there are any."""
    if not isinstance(about, dict):
        return about
    body = about.get({"recipe": "recipe", "run": "run", "evaluation": "run"}.get(kind, ""))
    if isinstance(body, dict) and isinstance(about.get("sha256"), str):
        about = about | {"sha256": json_digest(body, allow_nan=True)}
    if kind == "checkpoint" and "digest" in about:
        rest = {name: value for name, value in about.items() if name != "digest"}
        about = about | {"digest": json_digest(rest, allow_nan=True)}
    return about


@pytest.mark.parametrize("kind", JSON_FILES)
@several
@given(data=st.data())
def test_no_value_of_json_ends_in_another_error(whole, tmp_path_factory, kind, data):
    root = Path(shutil.copytree(whole, tmp_path_factory.mktemp("one") / "store"))
    path = data.draw(st.sampled_from(sorted(root.glob(JSON_FILES[kind]))))
    about = json.loads(path.read_text())
    place = data.draw(st.sampled_from(list(places(about))))
    about = with_right_digests(kind, put(about, place, data.draw(ABSURD_VALUES)))
    path.write_text(json.dumps(about))
    use(root, root.parent / "other")


@pytest.mark.parametrize("kind", TABLES)
@several
@given(data=st.data())
def test_no_value_of_a_table_ends_in_another_error(whole, tmp_path_factory, kind, data):
    root = Path(shutil.copytree(whole, tmp_path_factory.mktemp("one") / "store"))
    path = data.draw(st.sampled_from(sorted(root.glob(TABLES[kind]))))
    kind = "predictions" if kind == "evaluated" else kind
    table, metadata = read_table(path, kind=kind, version=99)
    version = 2 if kind == "index fragment" else 1
    what = data.draw(st.sampled_from(["metadata", "column", "rows", "no column", "more"]))
    name = data.draw(st.sampled_from(table.column_names))
    if what == "metadata":
        place = data.draw(st.sampled_from(list(places(metadata))))
        metadata = put(metadata, place, data.draw(ABSURD_VALUES))
    elif what == "column":
        absurd = data.draw(st.sampled_from(COLUMNS))
        table = table.slice(0, 3)
        values = absurd.slice(0, len(table))
        table = table.set_column(table.column_names.index(name), name, values)
    elif what == "rows":
        table = table.slice(0, 0)
    elif what == "no column":
        table = table.drop([name])
    else:
        table = pa.concat_tables([table, table])
    path.write_bytes(table_bytes(table, kind=kind, version=version, metadata=metadata))
    use(root, root.parent / "other")


@pytest.mark.parametrize(("content", "kind"), OTHER_CONTENT)
def test_no_file_of_another_content_ends_in_another_error(whole, tmp_path, kind, content):
    root = Path(shutil.copytree(whole, tmp_path / "store"))
    for path in sorted(root.glob((JSON_FILES | TABLES)[kind]))[:1]:
        path.unlink()
        path.mkdir() if content is None else path.write_bytes(content)
        use(root, tmp_path / "other")


@several
@given(
    st.sampled_from(list(json.loads(RECIPE.to_json()))),
    ABSURD_VALUES,
)
def test_a_recipe_of_absurd_values_is_one_or_is_refused(tmp_path_factory, field, value):
    fields = json.loads(RECIPE.to_json()) | {field: value}
    try:
        recipe = Recipe.from_json(json.dumps(fields))
    except StoreError:
        return
    folder = tmp_path_factory.mktemp("recipe")
    write_recipe(recipe, locate(folder))
    assert Recipe.from_json(recipe.to_json()) == recipe
