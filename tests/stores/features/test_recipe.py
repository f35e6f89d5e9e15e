import hashlib
import json
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stores import CorruptStore, FeatureStore, NewerFormat, Recipe
from stores.features.recipe import FORMAT_VERSION, RECIPE_VERSION, read_recipe, write_recipe
from stores.layout import locate
from tests.support.samples import RECIPE, some_keys, some_rows

_values = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
_values = _values.filter(lambda value: value not in {float("inf"), float("-inf")})
_recipes = st.builds(
    Recipe,
    version=st.just(RECIPE_VERSION),
    image_size=st.tuples(st.integers(1, 2**16), st.integers(1, 2**16)),
    backbone_arguments=st.dictionaries(st.text(), _values | st.lists(_values, max_size=3)).map(
        lambda arguments: tuple(sorted(arguments.items()))
    ),
)


@given(_recipes)
def test_a_recipe_survives_its_json(recipe):
    again = Recipe.from_json(recipe.to_json())
    assert again == recipe
    assert again.to_json() == recipe.to_json()


@given(_recipes)
def test_the_json_is_canonical_and_its_sha256_is_the_fingerprint(recipe):
    text = recipe.to_json()
    assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))
    assert text.isascii()
    assert recipe.fingerprint == hashlib.sha256(text.encode("ascii")).hexdigest()


@pytest.mark.parametrize("name", [field.name for field in fields(Recipe)])
def test_every_field_changes_the_fingerprint(name):
    value = getattr(RECIPE, name)
    other = value + 1 if name == "version" else value[:0]
    assert replace(RECIPE, **{name: other}).fingerprint != RECIPE.fingerprint


def test_height_and_width_are_not_the_same():
    turned = replace(RECIPE, image_size=RECIPE.image_size[::-1])
    assert turned.fingerprint != RECIPE.fingerprint


@pytest.mark.parametrize(
    ("precision", "told"), [("float32", "float32)"), ("int8", "float32 computed at int8)")]
)
def test_a_precision_that_is_not_usual_is_told(precision, told):
    text = str(replace(RECIPE, compute_precision=precision))
    assert text.endswith(f"(mobilenet_v2 96×128, tap out_relu, pooling avg, {told}")


def test_the_order_of_the_arguments_does_not_matter():
    one = replace(RECIPE, backbone_arguments=(("a", 1), ("b", 2)))
    other = replace(RECIPE, backbone_arguments=(("b", 2), ("a", 1)))
    assert one.fingerprint == other.fingerprint


def test_no_field_has_a_default():
    with pytest.raises(TypeError, match=f"{len(fields(Recipe))} required"):
        Recipe()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), b"x", {1, 2}])
def test_what_cannot_be_fingerprinted_is_an_error(value):
    recipe = replace(RECIPE, backbone_arguments=(("x", value),))
    with pytest.raises((ValueError, TypeError), match="JSON"):
        _ = recipe.fingerprint


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "1", "null", "{}", '{"version":1}', '{"version":1,"new":2}']
)
def test_what_is_no_recipe_is_corrupt(text):
    with pytest.raises(CorruptStore, match="not a recipe"):
        Recipe.from_json(text)


def test_a_newer_recipe_is_refused():
    text = replace(RECIPE, version=RECIPE_VERSION + 1).to_json()
    with pytest.raises(NewerFormat, match="update gargalo"):
        Recipe.from_json(text)


def test_a_recipe_survives_its_folder(tmp_path):
    write_recipe(RECIPE, locate(tmp_path))
    about = json.loads((tmp_path / "recipe.json").read_text())
    assert read_recipe(locate(tmp_path)) == RECIPE
    assert about["sha256"] == RECIPE.fingerprint
    assert about["format"] == FORMAT_VERSION


def test_the_first_recipe_json_stays(tmp_path):
    write_recipe(RECIPE, locate(tmp_path))
    before = (tmp_path / "recipe.json").stat()
    write_recipe(RECIPE, locate(tmp_path))
    assert (tmp_path / "recipe.json").stat().st_ino == before.st_ino


@pytest.mark.parametrize("change", [{"format": FORMAT_VERSION + 1}, {"format": "2"}])
def test_a_folder_of_a_newer_format_is_refused(tmp_path, change):
    write_recipe(RECIPE, locate(tmp_path))
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(NewerFormat, match="update gargalo"):
        read_recipe(locate(tmp_path))


@pytest.mark.parametrize("text", ["", "{}", "[1]", "null", "\xff", '{"format":1,"sha256":"x"}'])
def test_a_damaged_recipe_json_says_the_way_out(tmp_path, text):
    (tmp_path / "recipe.json").write_text(text, encoding="latin-1")
    with pytest.raises(CorruptStore, match="delete it"):
        read_recipe(locate(tmp_path))


def test_a_changed_value_in_recipe_json_is_noticed(tmp_path):
    write_recipe(RECIPE, locate(tmp_path))
    path = tmp_path / "recipe.json"
    path.write_text(path.read_text().replace("bilinear", "bicubic"))
    with pytest.raises(CorruptStore, match="delete it"):
        read_recipe(locate(tmp_path))


def test_the_way_out_of_a_damaged_recipe_json_works(tmp_path):
    store = FeatureStore(tmp_path, RECIPE)
    keys, rows = some_keys(3), some_rows(3)
    store.write(keys, rows)
    (store.folder / "recipe.json").write_text("damaged")
    with pytest.raises(CorruptStore, match="delete it"):
        FeatureStore(tmp_path, RECIPE)
    (store.folder / "recipe.json").unlink()
    again = FeatureStore(tmp_path, RECIPE)
    assert (again.read(keys) == rows).all()
    again.write(some_keys(1, seed=9), some_rows(1))
    assert read_recipe(store.place) == RECIPE


def test_a_folder_of_another_recipe_with_the_same_16_digits_is_refused(tmp_path):
    store = FeatureStore(tmp_path, RECIPE)
    write_recipe(replace(RECIPE, tap="other"), store.place)
    with pytest.raises(CorruptStore, match="only 16 of its digits"):
        FeatureStore(tmp_path, RECIPE)
