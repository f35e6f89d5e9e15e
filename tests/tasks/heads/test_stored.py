"""A model that is whole by its digest and absurd inside is damage, and never another error."""

import io
import json
import zipfile
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import skops.io
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from stores import CorruptStore
from tasks.datasets.folds import Fold
from tasks.errors import InputError
from tasks.heads import KINDS, Candidate, find_kind
from tasks.heads.examples import Examples, MemoryStream
from tasks.heads.stored import load_head
from tests.stores.runs.test_record import RUN

WIDTH, CLASSES = 6, 2
LABELS = np.arange(20) % CLASSES
FEATURES = np.random.default_rng(0).standard_normal((20, WIDTH)).astype(np.float32)
FEATURES[:, 0] += LABELS


def run_of(kind):
    return replace(RUN, head={"kind": kind})


def saved(folder, kind):
    """Train a head of a kind and write it as a run does; return what was trained."""
    learns = np.ones(20, np.bool_)
    examples = Examples(MemoryStream(FEATURES), LABELS, CLASSES, [Fold(learns, ~learns)])
    about = {"epochs": 2} if kind == "dense" else {}
    specification = find_kind(kind).specification(**about)
    (head,) = find_kind(kind).train([Candidate(specification, 0)], examples)
    folder.mkdir(parents=True)
    head.save(folder)
    return head


def load(folder, kind):
    runs = SimpleNamespace(model_folder=lambda _: folder)
    return load_head(runs, run_of(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_written_is_loaded(tmp_path, kind):
    head = saved(tmp_path / "model", kind)
    again = load(tmp_path / "model", kind)
    assert again.inputs == head.inputs == WIDTH
    assert np.array_equal(again.scores(FEATURES), head.scores(FEATURES))


@pytest.mark.parametrize("kind", KINDS)
def test_features_of_another_recipe_are_refused(tmp_path, kind):
    saved(tmp_path / "model", kind)
    with pytest.raises(CorruptStore, match="expects features of 6 values, received 7"):
        load(tmp_path / "model", kind).scores(np.zeros((3, 7), np.float32))


def content_of(write):
    buffer = io.BytesIO()
    write(buffer)
    return buffer.getvalue()


def zipped(names, how=zipfile.ZIP_STORED):
    def write(buffer):
        with zipfile.ZipFile(buffer, "w", how) as archive:
            for name, content in names.items():
                archive.writestr(name, content)

    return content_of(write)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no zip",
        b"PK\x03\x04",
        zipped({}),
        zipped({"schema.json": "[]", "kernel.npy": "x", "specification.npy": "x"}),
        zipped({"schema.json": "{"}),
        zipped({"schema.json": json.dumps({"__class__": 7, "__module__": [], "__loader__": "x"})}),
        zipped({"schema.json": " " * 10**6}, zipfile.ZIP_DEFLATED),
    ],
)
def test_what_is_no_model_is_damage(tmp_path, kind, content):
    saved(tmp_path / "model", kind)
    (path,) = (tmp_path / "model").glob("head.*")
    path.write_bytes(content)
    with pytest.raises(CorruptStore, match=r"the model is damaged, although .* and train again"):
        load(tmp_path / "model", kind)


def test_a_head_of_an_earlier_version_that_unpacks_to_gigabytes_is_damage(tmp_path):
    """The kind: a small file that takes gigabytes, exempt for its ending."""
    content = zipped({"config.json": " " * 2**27}, zipfile.ZIP_DEFLATED)
    (tmp_path / "head.keras").write_bytes(content)
    with pytest.raises(CorruptStore, match="unpacks to 134,217,728"):
        load(tmp_path, "dense")


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_is_gone_is_damage(tmp_path, kind):
    (tmp_path / "model").mkdir()
    with pytest.raises((CorruptStore, FileNotFoundError)):
        load(tmp_path / "model", kind)


NUMBERS = {"kernel": np.zeros((WIDTH, CLASSES), "f4"), "bias": np.zeros(CLASSES, "f4")}


@pytest.mark.parametrize("kind", ["ridge", "centroid"])
@pytest.mark.parametrize(
    "changes",
    [
        {"kernel": np.zeros(WIDTH, "f4")},
        {"kernel": np.zeros((WIDTH, 3), "f4")},
        {"kernel": np.full((WIDTH, CLASSES), np.nan, "f4")},
        {"kernel": np.zeros((0, CLASSES), "f4")},
        {"kernel": np.array([["a", "b"]])},
        {"kernel": np.array(None)},
        {"bias": np.zeros(3, "f4")},
        {"bias": np.zeros((CLASSES, 1), "f4")},
        {"bias": np.full(CLASSES, np.nan, "f4")},
        {"bias": np.array(["a", "b"])},
        {"kernel": None},
    ],
)
def test_a_linear_head_of_other_shapes_is_damage(tmp_path, kind, changes):
    (tmp_path / "model").mkdir()
    arrays = {name: array for name, array in (NUMBERS | changes).items() if array is not None}
    np.savez(tmp_path / "model" / "head.npz", **arrays)
    with pytest.raises(CorruptStore, match="and train again"):
        load(tmp_path / "model", kind)


@pytest.mark.parametrize(
    "changes",
    [
        {"specification": np.array("{}")},
        {"specification": np.array("[]")},
        {"specification": np.array('{"hidden_units": [7]}')},
        {"specification": np.array('{"activation": "os.system"}')},
        {"specification": np.array('{"standardize": true}')},
        {"specification": np.array("[" * 10**5)},
        {"kernel_0": np.zeros((WIDTH, 3), "f4")},
        {"kernel_0": np.float32(1)},
        {"kernel_0": np.full((WIDTH, CLASSES), np.inf, "f4")},
        {"bias_0": np.zeros((1, 5), "f4")},
        {"bias_0": None},
        {"more": np.zeros(3, "f4")},
    ],
)
def test_a_dense_head_of_other_shapes_is_damage(tmp_path, changes):
    saved(tmp_path / "model", "dense")
    with np.load(tmp_path / "model" / "head.npz") as file:
        arrays = dict(file)
    arrays = {name: array for name, array in (arrays | changes).items() if array is not None}
    if changes.keys() == {"specification"} and str(changes["specification"]) == "{}":
        arrays["kernel_0"] = arrays["kernel_0"].T
    np.savez(tmp_path / "model" / "head.npz", **arrays)
    with pytest.raises(CorruptStore, match="and train again"):
        load(tmp_path / "model", "dense")


def fitted(*steps, labels=LABELS, features=FEATURES):
    return make_pipeline(*steps).fit(features, labels)


ESTIMATORS = {
    "another classifier": lambda: fitted(StandardScaler(), KNeighborsClassifier()),
    "a regression": lambda: fitted(LinearRegression()),
    "no pipeline": lambda: LogisticRegression().fit(FEATURES, LABELS),
    "an unfitted pipeline": lambda: make_pipeline(StandardScaler(), LogisticRegression()),
    "half a fit": lambda: make_pipeline(
        StandardScaler(), LogisticRegression().fit(FEATURES, LABELS)
    ),
    "another order": lambda: fitted(StandardScaler(), StandardScaler(), LogisticRegression()),
    "more classes": lambda: fitted(LogisticRegression(), labels=np.arange(20) % 5),
    "classes of text": lambda: fitted(LogisticRegression(), labels=np.array(["a", "b"] * 10)),
    "a margin": lambda: fitted(LinearSVC()),
    "a list": lambda: [1, 2],
    "a dict": lambda: {"classes_": [0, 1]},
    "an array": lambda: np.zeros(3),
}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_another_estimator_is_damage(tmp_path, name):
    (tmp_path / "model").mkdir()
    skops.io.dump(ESTIMATORS[name](), tmp_path / "model" / "head.skops")
    with pytest.raises(CorruptStore, match="and train again"):
        load(tmp_path / "model", "logistic")


def test_a_scaler_of_other_features_is_damage(tmp_path):
    pipeline = fitted(StandardScaler(), LogisticRegression())
    pipeline.steps[0] = ("standardscaler", StandardScaler().fit(FEATURES[:, :3]))
    (tmp_path / "model").mkdir()
    skops.io.dump(pipeline, tmp_path / "model" / "head.skops")
    with pytest.raises(CorruptStore, match="and train again"):
        load(tmp_path / "model", "logistic")


def test_a_kind_that_there_is_not_is_named(tmp_path):
    saved(tmp_path / "model", "ridge")
    with pytest.raises(InputError, match=r"unknown kind of head 'forest': .*update gargalo"):
        load(tmp_path / "model", "forest")


@pytest.mark.parametrize(
    ("kind", "target", "match"),
    [
        ("centroid", "labels", "a head centroid cannot learn the target labels"),
        ("dense", "labels", "the output 'softmax' is not for the target 'labels'"),
        ("knn", "number", "steps .*KNeighborsClassifier"),
        ("ridge", "number", "expected 1 outputs"),
    ],
)
def test_a_head_of_another_target_is_damage(tmp_path, kind, target, match):
    saved(tmp_path / "model", kind)
    runs = SimpleNamespace(model_folder=lambda _: tmp_path / "model")
    classes = ("age",) if target == "number" else RUN.classes
    run = replace(run_of(kind), target=target, classes=classes)
    with pytest.raises(CorruptStore, match=match):
        load_head(runs, run)


def test_the_margin_of_a_label_is_finite(tmp_path):
    (tmp_path / "model").mkdir()
    arrays = NUMBERS | {"bias": np.array([0, -np.inf], "f4")}
    np.savez(tmp_path / "model" / "head.npz", **arrays)
    runs = SimpleNamespace(model_folder=lambda _: tmp_path / "model")
    load_head(runs, run_of("ridge"))  # of a class without an example
    with pytest.raises(CorruptStore, match="the bias has values that are not finite"):
        load_head(runs, replace(run_of("ridge"), target="labels"))


def test_a_run_without_a_model_says_why(tmp_path):
    with pytest.raises(InputError, match="has no model: too few"):
        load_head(None, replace(RUN, failure="too few"))
