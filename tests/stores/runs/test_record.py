import hashlib
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stores import CorruptStore, NewerFormat, Run
from stores.layout import locate
from stores.runs.parts import part_contents
from stores.runs.record import RUN_VERSION, SINCE, TestOpening
from tests.support.parts import HISTORY, predictions
from tests.support.samples import RECIPE, few

RUN = Run(
    dataset="pets",
    dataset_digest="d" * 64,
    fingerprint=RECIPE.fingerprint,
    classes=("cat", "ação"),
    head={"kind": "logistic", "l2": 0.1, "units": [3, 4]},
    seed=7,
    metrics={"train_accuracy": 1.0, "validation_accuracy": 0.75},
    parameters={"dataset": "pets", "epochs": None},
    versions={"keras": "3.12.0"},
    created="2026-01-01T00:00:00+00:00",
    model_digests={"model.txt": hashlib.sha256(b"the model").hexdigest()},
    part_digests={
        name: hashlib.sha256(content).hexdigest()
        for name, content in part_contents(HISTORY, predictions()).items()
    },
)
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
_runs = st.builds(
    Run,
    head=st.dictionaries(st.text(), _json, max_size=3).map(lambda head: head | {"kind": "knn"}),
    parameters=st.dictionaries(st.text(), _json, max_size=3),
    metrics=st.dictionaries(st.text(), st.floats(0, 1)),
)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("run") / "run.json"


@few
@given(_runs)
def test_a_run_survives_its_json(path, run):
    path.write_text(run.to_json())
    assert Run.read(locate(path)) == run
    assert Run.read(locate(path)).id == run.id


def test_the_id_is_the_sha256_of_what_decides_the_outcome():
    body = {
        "classes": ["cat", "ação"],
        "dataset_digest": "d" * 64,
        "fingerprint": RECIPE.fingerprint,
        "head": RUN.head,
        "seed": 7,
    }
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    assert RUN.id == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    "change",
    [
        {"dataset_digest": "e" * 64},
        {"fingerprint": "f" * 64},
        {"classes": ("ação", "cat")},
        {"head": RUN.head | {"l2": 0.2}},
        {"head": RUN.head | {"units": [4, 3]}},
        {"seed": 8},
        {"folds": 5},
        {"folds": 5, "fold_seed": 1},
        {"finetuning": {"strategy": "full"}},
    ],
)
def test_what_decides_the_outcome_changes_the_id(change):
    assert replace(RUN, **change).id != RUN.id


@pytest.mark.parametrize(
    "change",
    [
        {"dataset": "renamed"},
        {"metrics": {}},
        {"parameters": {}},
        {"versions": {}},
        {"created": ""},
        {"model_digests": {}},
        {"part_digests": {}},
        {"head": dict(reversed(RUN.head.items()))},
    ],
)
def test_the_rest_does_not_change_the_id(change):
    assert replace(RUN, **change).id == RUN.id


def test_a_number_that_is_none_is_refused():
    with pytest.raises(ValueError, match="JSON"):
        replace(RUN, metrics={"loss": float("nan")}).to_json()


def test_no_damage_to_a_value_is_unnoticed(path):
    content = RUN.to_json().encode()
    for offset in range(content.index(b'"sha256"'), len(content)):
        path.write_bytes(content[:offset] + bytes([content[offset] ^ 2]) + content[offset + 1 :])
        with pytest.raises(CorruptStore, match="the file is damaged"):
            Run.read(locate(path))


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "{}", '{"format": null, "sha256": "", "run": {}}', "\xff"]
)
def test_what_is_no_run_is_corrupt(path, text):
    path.write_text(text, encoding="latin-1")
    with pytest.raises(CorruptStore, match="the file is damaged; train again"):
        Run.read(locate(path))


@pytest.mark.parametrize("change", [{"strategy": 5}, {"epochs": "10"}, {"started_from": None}])
def test_a_fine_tuning_without_what_every_one_has_is_damage(path, change):
    """The kind: a record that is well-formed, and absurd where summaries are made of it."""
    tuning = {"started_from": "a" * 64, "strategy": "full", "unfreeze": "everything"}
    tuning |= {"optimizer": "adam", "augmentation": "none", "learning_rate": 1e-5, "epochs": 10}
    path.write_text(replace(RUN, finetuning=tuning).to_json())
    assert Run.read(locate(path)).finetuning == tuning
    path.write_text(replace(RUN, finetuning=tuning | change).to_json())
    with pytest.raises(CorruptStore, match="the file is damaged; train again"):
        Run.read(locate(path))


def test_a_run_and_an_opening_are_not_taken_for_each_other(path):
    opening = TestOpening("me", "d" * 64, {"test_accuracy": 0.5}, "2026-01-01T00:00:00+00:00")
    for text, kind in ((opening.to_json(), Run), (RUN.to_json(), TestOpening)):
        path.write_text(text)
        with pytest.raises(CorruptStore, match="the file is damaged"):
            kind.read(locate(path))


@pytest.mark.parametrize("version", [1, 2, 3, 4])
def test_a_run_of_an_older_format_is_read(path, version):
    body = json.loads(RUN.to_json())["run"]
    body = {name: value for name, value in body.items() if SINCE.get(name, 1) <= version}
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    about = {"format": version, "sha256": hashlib.sha256(text.encode()).hexdigest(), "run": body}
    path.write_text(json.dumps(about))
    expected = RUN if version >= SINCE["part_digests"] else replace(RUN, part_digests={})
    assert Run.read(locate(path)) == expected


def test_a_newer_run_is_refused(path):
    path.write_text(json.dumps(json.loads(RUN.to_json()) | {"format": RUN_VERSION + 1}))
    with pytest.raises(NewerFormat, match="update gargalo"):
        Run.read(locate(path))


def test_a_notebook_shows_how_a_run_did_and_its_head():
    page = RUN._repr_html_()
    assert f"Run {RUN.id[:16]}: logistic on pets<" in page
    assert "<td>accuracy</td><td>1.0000</td><td>0.7500</td>" in page
    assert "<td>units</td><td>[3, 4]</td>" in page
    assert (
        "on pets: the loss is &lt;NaN&gt;<"
        in replace(RUN, failure="the loss is <NaN>")._repr_html_()
    )


def test_no_name_in_a_run_acts_on_the_page():
    evil = "<b onclick=x>"
    head = {"kind": evil, evil: [evil]}
    page = replace(RUN, dataset=evil, head=head, metrics={f"train_{evil}": 1.0})._repr_html_()
    assert page.count("&lt;b onclick=x&gt;") == 6
    assert evil not in page


@few
@given(st.builds(TestOpening, metrics=st.dictionaries(st.text(), st.floats(0, 1))))
def test_an_opening_survives_its_json(path, opening):
    path.write_text(opening.to_json())
    assert TestOpening.read(locate(path)) == opening
