"""verify reads all that is stored, and goes on: what cannot be read is listed with the rest."""

import json
import shutil

import pytest

from stores import FeatureStore, NotInStore, RunStore
from stores.dataset_places import manifest_place
from stores.layout import locate
from stores.manifest import Manifest
from stores.quantized import Asked, model_place
from stores.runs.checkpoints import Checkpoints
from tasks.maintenance.maintain import collect_garbage, reindex, verify
from tests.stores.runs.test_record import RUN
from tests.stores.test_manifest import PETS
from tests.support.quantized import keep, named_by
from tests.support.runs import look, publish
from tests.support.samples import FLOAT16, RECIPE, a_store, fragments, in_child, shards

CLOSED = {
    "features": "features",
    "datasets": "data sets",
    "quantized": "quantised models",
    "runs": "runs",
    "checkpoints": "fine-tunings",
}

MODEL_FOLDER = model_place(locate("any"), Asked(RECIPE.fingerprint, "pets")).name


def fill(root):
    """Make a store that has two of everything."""
    a_store(root)
    a_store(root, recipe=FLOAT16)
    for name in ("pets", "more"):
        Manifest.write(PETS, root)
        if name != "pets":
            shutil.copytree(root / "datasets/pets", root / "datasets" / name)
    for name in ("pets", "more"):
        keep(root, dataset=name)
    runs = RunStore(root)
    publish(runs)
    look(runs)
    for number in "ab":
        Checkpoints(root, number * 64).publish(
            [{"loss": 1.0}], save=lambda folder: (folder / "state.npz").write_text("state")
        )
    return root


@pytest.fixture
def store(tmp_path):
    return fill(tmp_path / "store")


def test_of_a_whole_store_nothing_is_wrong_and_all_is_named(store):
    found = verify(store)
    assert not any(found.values())
    kinds = sorted(name.split()[0] for name in found)
    twice = ["data", "features", "fine-tuning", "quantised"]
    assert kinds == sorted([*twice, *twice, "run"])


@pytest.mark.parametrize(
    "part",
    [
        f"features/{RECIPE.fingerprint[:16]}/recipe.json",
        "datasets/more/manifest.parquet",
        f"runs/{RUN.id[:16]}/run.json",
        f"runs/{RUN.id[:16]}/history.parquet",
        f"runs/{RUN.id[:16]}/predictions.parquet",
        f"runs/{RUN.id[:16]}/model/model.txt",
        f"quantized/{MODEL_FOLDER}/quantized.json",
        f"quantized/{MODEL_FOLDER}/model.bin",
        f"checkpoints/{'a' * 16}/000001/checkpoint.json",
        f"checkpoints/{'a' * 16}/000001/state.npz",
        "layers.json",
    ],
)
@pytest.mark.parametrize("damage", ["text", "folder", "list", "deep"])
def test_what_cannot_be_read_is_listed_and_the_rest_is_verified(store, part, damage):
    whole, path = verify(store), store / part
    path.unlink(missing_ok=True)
    if damage == "folder":
        path.mkdir()
    else:
        path.write_text({"text": "damaged", "list": "[1]", "deep": "[" * 10**5}[damage])
    found = verify(store)
    wrong = {name: said for name, said in found.items() if said}
    assert len(wrong) == 1
    assert len(found) >= len(whole)
    assert str(path) in str(wrong)


@pytest.mark.parametrize("folder", CLOSED)
def test_a_closed_folder_is_not_taken_for_an_empty_one(public, folder):
    store = fill(public / "store")
    (store / folder).chmod(0)
    found = in_child(lambda: verify(store), nobody=True)
    wrong = {name: said for name, said in found.items() if said}
    assert "cannot be read: Permission denied" in wrong.pop(CLOSED[folder])[0]
    assert all(str(store / folder) in str(said) for said in wrong.values())
    assert len(found) >= 6


def test_a_closed_file_is_listed_and_the_rest_is_verified(public):
    store = fill(public / "store")
    closed = [
        store / f"features/{RECIPE.fingerprint[:16]}/recipe.json",
        manifest_place(store, "more").path,
        store / f"runs/{RUN.id[:16]}/predictions.parquet",
    ]
    for path in closed:
        path.chmod(0)
    found = in_child(lambda: verify(store), nobody=True)
    assert all(str(path) in str(found.values()) for path in closed)
    assert sum(bool(said) for said in found.values()) == 3


def test_a_closed_shard_is_listed_and_the_others_are_verified(public):
    store, _, _ = a_store(public / "store")
    a_store(public / "store", seed=1)
    one, other = shards(store)
    fragments(store)[0].unlink()
    one.chmod(0)
    other.write_bytes(other.read_bytes()[:-1])
    (found,) = in_child(lambda: verify(store.root), nobody=True).values()
    assert any("it could not be read" in line and one.stem[:12] in line for line in found)
    assert any(other.stem[:12] in line and "bytes" in line for line in found)


def test_an_unreadable_fragment_does_not_stop_reading(public):
    store, keys, rows = a_store(public / "store")
    fragments(store)[0].chmod(0)
    read = in_child(lambda: FeatureStore(store.root, RECIPE).read(keys), nobody=True)
    assert (read == rows).all()


@pytest.mark.parametrize("damage", ["gone", "text", "other", "absurd"])
def test_a_recipe_comes_back_from_a_shard(store, damage):
    folder = store / "features" / RECIPE.fingerprint[:16]
    path, whole = folder / "recipe.json", (folder / "recipe.json").read_bytes()
    other = store / "features" / FLOAT16.fingerprint[:16] / "recipe.json"
    absurd = json.loads(whole) | {"recipe": {"version": 1}}
    path.unlink()
    if damage != "gone":
        content = {"text": b"x", "other": other.read_bytes(), "absurd": json.dumps(absurd).encode()}
        path.write_bytes(content[damage])
    (wrong,) = [said for said in verify(store).values() if said]
    assert "reindex" in wrong[0]
    reindex(store)
    assert path.read_bytes() == whole
    assert not any(verify(store).values())


def test_what_a_writer_left_that_died_before_its_first_shard_is_listed_by_gc(store):
    folder = store / "features" / ("0" * 16)
    (folder / "tmp").mkdir(parents=True)
    (folder / "tmp" / "x.draft").write_text("half a recipe")
    (wrong,) = [said for said in verify(store).values() if said]
    assert "`python -m flows.maintain gc` lists it" in wrong[0]
    assert not [item for item in collect_garbage(store) if str(folder) in item.path]
    collect_garbage(store, grace_seconds=-1, delete=True)
    assert not folder.exists()
    assert not any(verify(store).values())


def test_a_shard_without_a_recipe_is_no_garbage(store):
    folder = store / "features" / RECIPE.fingerprint[:16]
    (folder / "recipe.json").unlink()
    garbage = collect_garbage(store, grace_seconds=-1, delete=True)
    assert not [item for item in garbage if item.path == str(folder)]
    reindex(store)
    assert not any(verify(store).values())


def test_one_damaged_recipe_keeps_no_other_from_being_opened(store):
    (store / "features" / RECIPE.fingerprint[:16] / "recipe.json").write_text("x")
    assert FeatureStore.open(store, FLOAT16.fingerprint[:8]).recipe == FLOAT16
    with pytest.raises((ValueError, NotInStore), match="the file is damaged"):
        FeatureStore.open(store)


def test_features_at_int8_without_their_model_are_listed(tmp_path):
    kept = keep(tmp_path)
    a_store(tmp_path, recipe=named_by(kept))
    assert not any(verify(tmp_path).values())
    shutil.rmtree(kept.place.path)
    (said,) = (said for said in verify(tmp_path).values() if said)
    assert "its quantised model is not in" in said[0]
