from dataclasses import replace

import numpy as np
import pytest

from stores.features.store import FeatureStore
from stores.keys import ImageKey
from stores.manifest import Manifest
from tasks.advice.evidence import check_measurable, check_pretrained, learned_counts, measure
from tasks.backbones.registry import find_backbone
from tasks.backbones.torch_checkpoint import read_state_dict
from tasks.backbones.weights import Weights, packaged_weights
from tasks.errors import InputError, WeightsError
from tests.support.entries import entries_of, with_entries
from tests.support.samples import RECIPE

UNTOLD = Weights("none", "", 0, "none")

LITE0 = packaged_weights(find_backbone("efficientnet_lite0"))


@pytest.fixture
def part(pets):
    """Two hundred images, all to learn from."""
    entry = entries_of(pets)[0]
    entries = [
        replace(entry, path=f"{n}", key=ImageKey.of(f"{n}".encode()), label=pets.classes[n % 2])
        for n in range(200)
    ]
    return with_entries(pets, entries=tuple(entries))


def stored(part: Manifest, store, **signals):
    """Store features of four numbers, of which one tells the classes apart so far."""
    images = part.select()
    for seed, (tap, signal) in enumerate(signals.items(), start=5):
        rows = np.random.default_rng(seed).normal(size=(len(images.keys), 4)).astype("f4")
        rows[:, 0] += signal * images.labels
        FeatureStore(store, replace(RECIPE, tap=tap)).write(images.keys, rows)
    return [replace(RECIPE, tap=tap) for tap in signals]


def test_the_layer_that_tells_more_is_the_better_by_all_measures(part, store):
    recipes = stored(part, store, first=0.0, second=4.0, output=1.0)
    found = measure(part, recipes, UNTOLD, store=store)
    assert [layer.tap for layer in found.layers] == ["first", "second", "output"]
    assert found.best_earlier.tap == "second"
    assert found.best_earlier.accuracy > 0.95 > found.output.accuracy
    assert found.best_earlier.logme > found.output.logme
    assert found.earlier.difference > 0.1
    assert found.earlier.p_value < 0.001 > found.chance
    assert found.answers is None
    assert "--image-size" in found.unasked


def test_where_no_layer_tells_anything_that_is_chance(part, store):
    recipes = stored(part, store, early=0.0, output=0.0)
    assert measure(part, recipes, UNTOLD, store=store).chance > 0.05


def test_the_imagenet_classifier_is_asked_about_what_it_was_trained_on(part, store):
    own = {"backbone": "efficientnet_lite0", "image_size": (224, 224), "pooling": "avg"}
    file = Weights("file", str(LITE0), 0, "")
    images = part.select()
    rows = read_state_dict(LITE0)["_fc.weight"][[281, 207]][images.labels]
    found = {}
    for changed in ({}, {"image_size": (96, 96)}, {"pooling": "max"}):
        recipes = [replace(RECIPE, **own | changed, tap=tap) for tap in ("early", "output")]
        for recipe, width in zip(recipes, (8, None), strict=True):
            FeatureStore(store, recipe).write(images.keys, 10 * rows[:, :width])
        found[recipe] = measure(part, recipes, file, store=store)
    asked, size, pooling = found.values()
    assert asked.answers.accuracy == 1.0
    assert asked.answers.sureness > 0.99
    assert (size.answers, pooling.answers) == (None, None)
    assert "--image-size 224" in size.unasked
    assert "--pooling avg" in pooling.unasked


def test_too_few_classes_or_images_are_named(part):
    few = with_entries(part, entries=entries_of(part)[:9])
    assert learned_counts(few) == {"cats": 5, "dogs": 4}
    with pytest.raises(InputError, match=r"at least 5 .* Received fewer of dogs \(4\); add"):
        check_measurable(few)
    with pytest.raises(InputError, match="found only 'cats'"):
        check_measurable(replace(few, classes=("cats",)))


def test_untrained_weights_know_nothing_of_imagenet():
    with pytest.raises(WeightsError, match=r"--weights none: .* use --weights imagenet"):
        check_pretrained("none")
