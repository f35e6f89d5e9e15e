from dataclasses import replace

import pytest

from tasks.errors import InputError
from tasks.finetune.train import planned_network
from tests.support.entries import entries_of, with_entries
from tests.support.tuning import start


def refusal(started, *arguments, **asked):
    with pytest.raises(InputError) as error:
        started.plan(*arguments, **asked)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_layer_may_be_named_or_numbered(started):
    names = ["gates", "5"]
    by_name, by_number = (started.plan(unfreeze=asked) for asked in names)
    assert by_name.id == by_number.id
    assert by_name.tuning.unfreeze == "gates"
    assert started.plan(unfreeze="all").id == started.plan("full").id


def test_an_unknown_layer_gets_the_nearest_names(started):
    told = refusal(started, unfreeze="gate")
    assert "unknown layer 'gate': did you mean gates or gated?" in told
    for beyond in ("8", "-1", "xyz"):
        assert "has the layers 0 (input_layer) to 7 (gated)" in refusal(started, unfreeze=beyond)


def test_top_layers_must_be_said(started):
    assert "give the first trained layer of tiny with --unfreeze" in refusal(started, unfreeze=None)


@pytest.mark.parametrize("strategy", ["partial", "full", "scratch"])
def test_the_other_strategies_say_themselves_what_is_trained(started, strategy):
    tuning = started.plan(strategy).tuning
    assert tuning.unfreeze == ("none" if strategy == "partial" else "all")
    told = refusal(started, strategy, "gates")
    assert f"--unfreeze gates: --strategy {strategy} trains" in told


def test_a_run_at_int8_is_refused_with_what_to_do(started, monkeypatch):
    job = replace(started.job, recipes=(replace(started.job.recipes[0], compute_precision="int8"),))
    monkeypatch.setattr("tasks.finetune.plan.features_job", lambda *_, **__: job)
    told = refusal(started)
    assert (
        "quantised to int8, which cannot be trained; extract and train with --precision f" in told
    )


def test_a_changed_data_set_is_refused(started):
    entries = entries_of(started.manifest)[1:]
    changed = replace(started, manifest=with_entries(started.manifest, entries=entries))
    assert "has changed since the training; extract" in refusal(changed)


def test_a_head_for_another_feature_shape_is_refused(tiny, tmp_path, store):
    started = start(tmp_path / "pets", store, pooling="none", epochs=1)
    with pytest.raises(InputError, match=r"expects features of 512 values.*gives 2048"):
        planned_network(started.plan(image_size=32), store)


@pytest.mark.parametrize("kind", ["svm", "ridge", "knn", "centroid"])
def test_a_head_that_does_not_learn_by_gradients_is_refused(tiny, tmp_path, store, kind):
    started = start(tmp_path / "pets", store, kind)
    assert f"expected a head of kind dense or logistic, received {kind}" in refusal(started)


def test_a_head_that_learned_from_validation_is_refused(tiny, tmp_path, store):
    started = start(tmp_path / "pets", store, folds=3, epochs=1)
    assert "so on the validation images too" in refusal(started)


def test_a_fine_tuned_run_is_not_tuned_again(started):
    tuned = replace(started, run=started.tune(epochs=1))
    assert f"received a fine-tuned run; give {started.run.id[:16]}" in refusal(tuned)


def test_views_and_augmentation_belong_together(started):
    assert "--views 3: no augmentation; add --augment" in refusal(started, views=3)
    told = refusal(started, augmentation="flip=horizontal", from_cache=True)
    assert "add --views N" in told


def test_a_setting_out_of_range_names_its_flag(started):
    assert "--learning-rate: " in refusal(started, learning_rate=-1)


def test_what_decides_the_outcome_is_another_run(started):
    plans = [
        started.plan(),
        started.plan(epochs=4),
        started.plan(learning_rate=1e-4),
        started.plan(augmentation="flip=horizontal"),
        started.plan(augmentation="flip=horizontal", views=2),
        started.plan(seed=1),
        started.plan(untrained_head=True),
        started.plan("full"),
        started.plan("partial"),
        started.plan("scratch"),
    ]
    assert len({plan.id for plan in plans}) == len(plans)
    assert started.plan(from_cache=True).id == plans[0].id
