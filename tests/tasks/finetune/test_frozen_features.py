"""Learning from what comes out where a network is cut is learning from images."""

import numpy as np
import pytest

from stores.features.store import FeatureStore
from stores.runs.store import RunStore
from tasks.errors import InputError
from tasks.finetune.frozen_features import prefix_job
from tests.support.tuning import backbone_of, compute_prefix, forget


@pytest.mark.parametrize(
    ("strategy", "views", "augmentation"),
    [
        ("top-layers", 0, "none"),
        ("partial", 0, "none"),
        ("top-layers", 3, "flip=horizontal, rotation=0.2"),
        ("partial", 2, "contrast=0.5"),
    ],
)
def test_the_losses_are_those_from_images(started, store, strategy, views, augmentation):
    asked = {"epochs": 3, "views": views, "augmentation": augmentation}
    from_images = started.tune(strategy, **asked)
    runs = RunStore(store)
    history, weights = runs.history(from_images.id), backbone_of(from_images, store)
    forget(from_images, store)
    planned = started.plan(strategy, **asked, from_cache=True)
    train, validation = (len(started.manifest.select(s).keys) for s in ("train", "validation"))
    kept = views == 0 and strategy == "partial"  # those are the features that the head learned from
    assert compute_prefix(started, planned) == (0 if kept else train * (1 + views) + validation)
    assert compute_prefix(started, planned) == 0
    cached = started.tune(strategy, **asked, from_cache=True)
    assert cached.id == from_images.id
    again = runs.history(cached.id)
    for name in ("loss", "val_loss"):
        assert np.allclose(again[name].to_numpy(), history[name].to_numpy(), atol=1e-4)
    others = backbone_of(cached, store)
    assert all(np.allclose(others[name], weights[name], atol=1e-3) for name in weights)


def test_from_features_no_image_is_read(tiny, started):
    planned = started.plan(from_cache=True)
    compute_prefix(started, planned)
    tiny.read_diary()
    started.tune(from_cache=True)
    assert not tiny.read_diary()


def test_a_view_is_a_feature_of_its_own(started):
    planned = started.plan("partial", views=2, augmentation="rotation=0.3", from_cache=True)
    compute_prefix(started, planned)
    (recipe,) = prefix_job(planned).recipes
    assert recipe.augmentation == "rotation=0.3"
    features, keys = FeatureStore(started.store, recipe), started.manifest.select("train").keys
    rows = [features.read(keys, views=view) for view in (0, 1, 2)]
    plain = FeatureStore(started.store, started.job.recipes[0]).read(keys)
    assert np.allclose(rows[0], plain, atol=1e-6)
    assert not np.allclose(rows[1], plain, atol=1e-3)
    assert not np.allclose(rows[1], rows[2], atol=1e-3)


def test_where_nothing_is_frozen_nothing_can_be_kept(started):
    with pytest.raises(InputError, match=r"cached: no layer is frozen.* --prefix images"):
        prefix_job(started.plan("full", from_cache=True))
