from dataclasses import fields
from pathlib import Path

import pytest

from flows.cli.parser import make_parser
from flows.ingest import ingest
from flows.parameters.features import AdviseParameters, ExtractParameters, FeatureParameters
from flows.parameters.finetune import FinetuneParameters
from flows.parameters.runs import ExportParameters, PredictParameters
from flows.parameters.store import ReaderParameters
from flows.pipeline import pipeline
from stores.features.recipe import Recipe
from tasks.datasets.corrections import NO_CORRECTIONS
from tasks.features.request import FEATURE_SETTINGS


def test_what_makes_features_alike_is_all_that_their_flags_set():
    flags = set(FeatureParameters.model_fields) - set(ReaderParameters.model_fields)
    assert flags == set(FEATURE_SETTINGS)
    assert set(FEATURE_SETTINGS.values()) <= {field.name for field in fields(Recipe)}


def test_no_corrections_is_a_word():
    parse = make_parser(ingest.fn, "gargalo ingest", lambda given, _: given.arguments)
    rule = parse([".", "--corrections", "none"])["parameters"].label_rule
    assert rule.corrections == NO_CORRECTIONS


def test_a_pipeline_needs_no_folder():
    """The kind: what checks a value is called for a value that was not given."""
    parse = make_parser(pipeline.fn, "gargalo pipeline", lambda given, _: given.arguments)
    assert parse([])["folder"] is None


@pytest.mark.parametrize(
    ("model", "name"),
    [
        (ExtractParameters, "backbone"),
        (ExtractParameters, "weights"),
        (FinetuneParameters, "weights"),
        (PredictParameters, "weights"),
        (ExportParameters, "weights"),
    ],
)
def test_a_file_is_given_as_text_or_as_a_path(model, name):
    for given in (Path("some") / "net.onnx", "some/net.onnx"):
        assert getattr(model(**{name: given}), name) == "some/net.onnx"


def test_advice_at_int8_is_refused_with_what_to_do():
    with pytest.raises(ValueError, match="advise measures at float32 or bfloat16; remove the flag"):
        AdviseParameters(precision="int8")
    assert AdviseParameters(precision="bfloat16").precision == "bfloat16"
