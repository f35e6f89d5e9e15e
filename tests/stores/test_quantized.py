"""A quantised model is found by what asked for it and by its recipe, and never when it changed."""

from dataclasses import asdict, replace

import pytest
from tasks.features.quantization.kept_model import (
    MODEL,
    PROBE,
    VALUES,
    Asked,
    Gate,
    at_float32,
    at_int8,
    find_kept,
    is_whole,
    named_model,
    place_of,
    write_record,
)

from stores.layout import locate
from tasks.errors import InputError
from tasks.features.job import make_job
from tests.support.extraction import REQUEST

GATE = Gate(2000, 0.985, 0.987, 464.0, 196.0, 0.12)


def float32_recipe(tiny):
    return make_job(REQUEST, store="unused", engine="keras").recipes[0]


def keep(store, recipe, *, gate=GATE, content=b"graph"):
    asked = Asked(recipe.fingerprint, "photos", 0)
    place = place_of(store, asked)
    with place.publish_folder(tmp=store / "tmp") as draft:
        for name in (MODEL, VALUES, PROBE):
            (draft / name).write_bytes(content)
        about = {"asked": asdict(asked), "calibration": "c" * 64, "images": 300, "nncf": "3.4.0"}
        write_record(draft, **about, gate=asdict(gate))
    return asked


@pytest.fixture
def store(tmp_path):
    return locate(tmp_path / "store")


def test_a_kept_model_is_found_by_what_asked_for_it_and_by_its_recipe(tiny, store):
    recipe = float32_recipe(tiny)
    kept = find_kept(store, keep(store, recipe))
    named = at_int8(recipe, kept)
    assert kept.gate == GATE
    assert is_whole(kept.place)
    assert named_model(store, named) == kept
    assert at_float32(named) == recipe
    assert named.fingerprint != recipe.fingerprint


def test_another_model_makes_another_recipe(tiny, store, tmp_path):
    recipe, other = float32_recipe(tiny), locate(tmp_path / "other")
    first = find_kept(store, keep(store, recipe))
    second = find_kept(other, keep(other, recipe, content=b"other graph"))
    assert at_int8(recipe, first).fingerprint != at_int8(recipe, second).fingerprint
    with pytest.raises(InputError, match=r"its quantised model is not in"):
        named_model(store, at_int8(recipe, second))


@pytest.mark.parametrize("name", [MODEL, VALUES, PROBE])
def test_a_file_that_changed_is_not_read(tiny, store, name):
    kept = find_kept(store, keep(store, float32_recipe(tiny)))
    (kept.place / name).path.write_bytes(b"something else")
    assert not is_whole(kept.place)
    with pytest.raises(InputError, match=f"the digest of {name} is not that of its record"):
        kept.read(name)


def test_a_record_that_changed_is_not_read(tiny, store, caplog):
    asked = keep(store, float32_recipe(tiny))
    record = (place_of(store, asked) / "quantized.json").path
    record.write_text(record.read_text().replace('"accuracy": 0.985', '"accuracy": 0.999'))
    assert find_kept(store, asked) is None
    assert "has changed" in caplog.text


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, ""),
        ({"accuracy": 0.982}, ""),  # half a point is allowed
        ({"accuracy": 0.9815}, "loses 0.55 points"),
        ({"speed": 196.0}, "not faster on this CPU"),
    ],
)
def test_the_gate_refuses_with_figures(changes, reason):
    refusal = replace(GATE, **changes).refusal
    assert reason in refusal
    assert bool(reason) == bool(refusal)


def test_a_request_at_int8_names_the_kept_model(tiny, store):
    asked = replace(REQUEST, precision="int8", dataset="photos")
    with pytest.raises(InputError, match=r"not quantised for data set 'photos' yet"):
        make_job(asked, store=store, engine="auto")
    keep(store, float32_recipe(tiny))
    (recipe,) = make_job(asked, store=store, engine="auto").recipes
    assert recipe.compute_precision == "int8"
    assert ("int8_nncf", "3.4.0") in recipe.backbone_arguments


def test_several_taps_at_int8_are_refused(tiny, store):
    asked = replace(REQUEST, precision="int8", dataset="photos", taps=("first", "output"))
    with pytest.raises(InputError, match=r"expected one --tap, received 2: first, output"):
        make_job(asked, store=store, engine="auto")
