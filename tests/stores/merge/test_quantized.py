"""Quantised models come with the features that they made, each under a place of its own."""

import pytest

from stores.layout import locate
from stores.merge.features import merge
from stores.quantized import FILES, Asked, find_kept, named_model
from tests.support.quantized import keep, named_by
from tests.support.samples import RECIPE, a_store, snapshot


@pytest.fixture
def ours(tmp_path):
    return locate(tmp_path / "ours")


@pytest.fixture
def theirs(tmp_path):
    a_store(tmp_path / "theirs")
    return locate(tmp_path / "theirs")


def test_a_model_is_taken_over_once(ours, theirs):
    kept, before = keep(theirs), snapshot(theirs.path)
    assert merge(ours, theirs).quantized == 1
    assert find_kept(ours, kept.asked).sha256 == kept.sha256
    assert merge(ours, theirs).quantized == 0
    assert snapshot(theirs.path) == before


def test_of_two_models_for_the_same_both_are_kept_and_ours_is_found(ours, theirs):
    mine, other = keep(ours), keep(theirs, content=b"other graph")
    assert [merge(ours, theirs).quantized for _ in range(2)] == [1, 0]
    assert find_kept(ours, Asked(RECIPE.fingerprint, "photos")) == mine
    assert named_model(ours, named_by(other)).read(FILES[0]) == b"other graph"
    assert named_model(ours, named_by(mine)) == mine


def test_a_damaged_model_is_told_and_stays_there(ours, theirs):
    (keep(theirs).place / FILES[1]).path.write_bytes(b"damaged")
    merged = merge(ours, theirs)
    assert merged.quantized == 0
    assert "the quantised model is damaged" in merged.damaged[0]


def test_a_whole_model_replaces_a_damaged_one(ours, theirs):
    kept = keep(theirs)
    (keep(ours).place / FILES[1]).path.write_bytes(b"damaged")
    assert merge(ours, theirs).quantized == 1
    assert find_kept(ours, kept.asked).read(FILES[1]) == b"graph"
