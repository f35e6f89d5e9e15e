import errno

import pytest

from stores.errors import CorruptStore
from stores.runs.store import RunStore
from tasks.errors import InputError
from tasks.training.evaluate_test_split import open_test
from tests.support.entries import entries_of, with_entries
from tests.support.planned import planned, train
from tests.support.samples import RECIPE, flip


def test_the_test_split_is_opened_once_and_recorded(pets, pets_store):
    run = train(planned(pets), store=pets_store)
    assert not RunStore(pets_store).openings(run)
    for _ in range(2):
        opening = open_test(run, pets, RECIPE, store=pets_store, asked_by="test")
    assert opening.metrics["test_accuracy"] == 1.0
    assert len(RunStore(pets_store).openings(run)) == 1
    assert RunStore(pets_store).predictions(run).num_rows == 20


def test_an_opening_recorded_before_an_error_is_not_repeated(pets, pets_store, monkeypatch):
    def fail(folder):
        if folder.name == "test" and list(folder.glob("*.json")):
            raise OSError(errno.EIO, "I/O")

    run = train(planned(pets), store=pets_store)
    monkeypatch.setattr("stores.storage.publish.sync_folder", fail)
    with pytest.raises(OSError, match="I/O"):
        open_test(run, pets, RECIPE, store=pets_store, asked_by="test")
    assert open_test(run, pets, RECIPE, store=pets_store, asked_by="again").asked_by == "test"
    assert RunStore(pets_store).times_opened(pets.select("test").keys) == 1


@pytest.mark.parametrize("name", ["logistic", "dense"])
def test_a_damaged_model_is_an_error_with_a_fix(pets, pets_store, name):
    run = train(planned(pets, name), store=pets_store)
    (model,) = pets_store.glob("runs/*/model/*")
    flip(model, model.stat().st_size // 2)
    with pytest.raises(CorruptStore, match=rf"{model.name}: .*damaged.*train again"):
        open_test(run, pets, RECIPE, store=pets_store, asked_by="test")
    assert not RunStore(pets_store).openings(run)


def test_the_test_split_of_a_changed_data_set_stays_closed(pets, pets_store):
    run = train(planned(pets), store=pets_store)
    changed = with_entries(pets, entries=entries_of(pets)[1:])
    with pytest.raises(InputError, match="has changed since"):
        open_test(run, changed, RECIPE, store=pets_store, asked_by="test")
