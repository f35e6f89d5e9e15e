"""JSON has the keys that users parse, whatever the dataclasses look like."""

import json
import pickle
from dataclasses import replace

from flows.summaries.as_json import as_json
from flows.summaries.heads import PipelineSummary
from flows.summaries.runs import CompareSummary
from flows.summaries.stores import MergeSummary
from stores.merge.result import Merged
from tasks.features.accounting import RecipeSummary
from tasks.report.run_facts import ComparedRun, RunComparison
from tests.flows.text.test_stores import HEAD, TRAINED
from tests.support.samples import RECIPE
from tests.support.summaries import EXTRACTED, INGESTED

RECIPES = (RecipeSummary(RECIPE.tap, RECIPE.fingerprint, (3,), RECIPE),)
PIPELINE = PipelineSummary("", INGESTED, replace(EXTRACTED, recipes=RECIPES), TRAINED, "r.html")


def test_a_pipelines_json_has_its_stages():
    found = json.loads(json.dumps(as_json(PIPELINE)))
    assert list(found) == ["about", "ingest", "extract", "train", "report"]
    assert found["ingest"]["rejected"] == [{"path": "cat/1.jpg", "reason": "the file is empty"}]
    (recipe,) = found["extract"]["recipes"]
    assert recipe["recipe"] == json.loads(RECIPE.to_json())
    assert set(found["train"]) >= {
        "run", "head", "dataset", "validation_accuracy", "selection", "test_accuracy",
        "test_openings", "cached", "folds", "remarks", "runs", "near_duplicates",
    }  # fmt: skip
    assert set(found["train"]["near_duplicates"]) == {
        "pairs", "crowded", "untold", "example", "within", "groups", "largest", "table", "searched",
        "split", "kept",
    }  # fmt: skip


def test_a_heads_metrics_stand_beside_the_rest_too():
    found = as_json(HEAD)
    assert found["validation_accuracy"] == found["metrics"]["validation_accuracy"] == 0.5
    assert (found["head"], found["specification"], found["cached"]) == (
        "svm",
        {"kind": "svm"},
        False,
    )


def test_a_merge_names_the_other_store_from():
    found = as_json(MergeSummary("other", Merged(runs=2)))
    assert (found["action"], found["from"], found["merge"]["runs"]) == ("merge", "other", 2)


def test_a_comparison_is_flat():
    runs = (ComparedRun("a", {"kind": "svm"}, 0, 0.5), ComparedRun("b", {"kind": "knn"}, 0, 0.75))
    comparison = RunComparison(
        images=4, only_first=0, only_second=1, difference=0.25, low=-0.5, high=0.7, p_value=0.3,
        runs=runs, tried=2, comparisons=1, corrected_p_value=0.3, corrected_low=-0.5,
        corrected_high=0.7,
    )  # fmt: skip
    found = as_json(CompareSummary(comparison))
    assert (found["action"], found["difference"], found["runs"][1]["run"]) == ("compare", 0.25, "b")


def test_a_summary_can_be_kept_as_a_result_of_prefects():
    assert pickle.loads(pickle.dumps(PIPELINE)) == PIPELINE
