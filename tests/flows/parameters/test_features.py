from dataclasses import fields

from flows.parameters.features import FeatureParameters
from flows.parameters.store import ReaderParameters
from stores.features.recipe import Recipe
from tasks.features.request import FEATURE_SETTINGS


def test_what_makes_features_alike_is_all_that_their_flags_set():
    flags = set(FeatureParameters.model_fields) - set(ReaderParameters.model_fields)
    assert flags == set(FEATURE_SETTINGS)
    assert set(FEATURE_SETTINGS.values()) <= {field.name for field in fields(Recipe)}
