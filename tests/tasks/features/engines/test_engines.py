"""Features are what Keras itself gives for the same files; what an engine cannot do, it says."""

import os
from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf

from stores import FeatureStore
from tasks.backbones.efficientnet_lite import efficientnet_lite0, preprocess_input
from tasks.backbones.efficientnet_lite_weights import load_torch_weights
from tasks.backbones.registry import find_backbone
from tasks.backbones.weights import packaged_weights
from tasks.errors import InputError
from tasks.features.agreement import agreement
from tasks.features.engines import load_engine
from tasks.features.job import make_job
from tests.support.extraction import REQUEST, extract
from tests.support.images import pixels as photograph
from tests.support.places import ROOT

PHOTOGRAPHS = ROOT.parent / "shared/data/cats_and_dogs/validation"
SIZE = 160
LITE = {"backbone": "efficientnet_lite0", "weights": "imagenet", "image_size": SIZE}


@pytest.fixture(scope="module")
def base():
    """EfficientNet-Lite0 with the packaged weights, built and loaded without our extraction."""
    model = efficientnet_lite0(input_shape=(SIZE, SIZE, 3))
    load_torch_weights(model, packaged_weights(find_backbone("efficientnet_lite0")))
    return model


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    """A folder of a few images like photographs, each of another size, in three formats."""
    folder = tmp_path_factory.mktemp("generated")
    for number, ending in enumerate(["png", "jpg", "bmp", "png", "jpg", "bmp"]):
        image = photograph(number, height=190 + 31 * number, width=350 - 29 * number)
        path = folder / "ab"[number % 2] / f"{number}.{ending}"
        path.parent.mkdir(exist_ok=True)
        keras.utils.save_img(path, image, scale=False)
    return folder


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """A folder of links to 64 photographs, 32 of cats and 32 of dogs."""
    if not PHOTOGRAPHS.is_dir():
        pytest.skip(f"no photographs at {PHOTOGRAPHS}")
    folder = tmp_path_factory.mktemp("photographs")
    for name in ("cats", "dogs"):
        (folder / name).mkdir()
        for path in sorted((PHOTOGRAPHS / name).glob("*.jpg"))[::15][:32]:
            (folder / name / path.name).symlink_to(path)
    return folder


def keras_gives(base, folder, taps=("top_activation",), **options):
    """Return `base(preprocess_input(batch))` of image_dataset_from_directory, by tap and file."""
    model = keras.Model(base.input, [base.get_layer(tap).output for tap in taps])
    dataset = keras.utils.image_dataset_from_directory(
        folder, image_size=(SIZE, SIZE), batch_size=10, shuffle=False, **options
    )
    batches = [model(preprocess_input(batch)) for batch, _ in dataset]
    if len(taps) == 1:  # Keras gives no list then
        batches = [[of_tap] for of_tap in batches]
    paths = [os.path.relpath(path, folder) for path in dataset.file_paths]
    maps = [
        np.concatenate([np.asarray(m) for m in of_tap]) for of_tap in zip(*batches, strict=True)
    ]
    return [dict(zip(paths, of_tap, strict=True)) for of_tap in maps]


def stored(done, store, number=0):
    """Return the stored features by file."""
    images = done.manifest.select()
    rows = FeatureStore(store, done.job.recipes[number]).read(images.keys)
    return dict(zip(images.paths.to_pylist(), rows, strict=True))


def pooled(maps, pooling):
    change = {"avg": lambda m: m.mean((0, 1)), "max": lambda m: m.max((0, 1)), "none": lambda m: m}
    return {path: change[pooling](row) for path, row in maps.items()}


def assert_file_by_file(expected, actual):
    """Check each file's feature, that no two are alike, and that swapped ones are noticed."""
    assert expected.keys() == actual.keys()
    paths = sorted(expected)
    alike = {
        (one, other): agreement(expected[one][None], actual[other][None]).within_tolerance
        for one in paths
        for other in paths
    }
    assert [pair for pair, agree in alike.items() if agree] == [(path, path) for path in paths]
    assert max(np.abs(row).max() for row in actual.values()) > 0.5


@pytest.mark.parametrize("mode", ["stretch", "crop", "pad"])
def test_features_of_generated_images_are_those_of_keras(base, generated, tmp_path, mode):
    done = extract(generated, tmp_path / "store", aspect_ratio=mode, batch_size=4, **LITE)
    options = {} if mode == "stretch" else {f"{mode}_to_aspect_ratio": True}
    (maps,) = keras_gives(base, generated, **options)
    assert_file_by_file(pooled(maps, "avg"), stored(done, tmp_path / "store"))


def test_features_of_photographs_are_those_of_keras(base, photographs, tmp_path):
    done = extract(photographs, tmp_path / "store", taps=("output", "block5c_add"), **LITE)
    assert done.computed == 64
    for number, maps in enumerate(
        keras_gives(base, photographs, ("top_activation", "block5c_add"))
    ):
        assert_file_by_file(pooled(maps, "avg"), stored(done, tmp_path / "store", number))


@pytest.mark.parametrize(
    ("pooling", "dtype"),
    [("max", "float32"), ("none", "float16")],
)
def test_each_pooling_and_dtype_is_that_of_keras(base, generated, tmp_path, pooling, dtype):
    done = extract(generated, tmp_path / "store", pooling=pooling, dtype=dtype, **LITE)
    (maps,) = keras_gives(base, generated)
    expected = {path: row.astype(dtype) for path, row in pooled(maps, pooling).items()}
    actual = stored(done, tmp_path / "store")
    assert {row.dtype for row in actual.values()} == {np.dtype(dtype)}
    assert_file_by_file(expected, actual)


@pytest.mark.server  # large networks
def test_several_taps_of_one_pass_are_those_of_single_passes(base, generated, tmp_path):
    taps = ("block5c_add", "output")
    together = extract(generated, tmp_path / "together", taps=taps, **LITE)
    for number, tap in enumerate(taps):
        alone = extract(generated, tmp_path / "alone", taps=(tap,), **LITE)
        one = stored(alone, tmp_path / "alone")
        several = stored(together, tmp_path / "together", number)
        assert one.keys() == several.keys()
        for path, row in one.items():
            assert agreement(row[None], several[path][None]).within_tolerance


# The tiny backbone is enough for what follows.


def engine_of(**asked):
    return load_engine(make_job(replace(REQUEST, **asked), store="unused", engine="keras"))


def some_pixels(count, side=16):
    return np.random.default_rng(0).uniform(0, 255, (count, side, side, 3)).astype(np.float32)


@pytest.mark.parametrize("count", [1, 2, 7])
def test_a_row_does_not_depend_on_its_batch(tiny, count):
    engine, pixels = engine_of(), some_pixels(7)
    (all_at_once,) = engine.compute(pixels)
    parts = [engine.compute(pixels[start : start + count])[0] for start in range(0, 7, count)]
    assert agreement(all_at_once, np.concatenate(parts)).within_tolerance


def test_the_order_of_the_taps_is_that_of_the_recipes(tiny):
    engine = engine_of(taps=("gates", "first", "output"), pooling="none")
    assert engine.feature_shapes == ((8,), (8, 8, 8), (8, 8, 8))
    gates, first, output = engine.compute(some_pixels(2))
    assert np.allclose(first * gates[:, None, None], output)


def test_a_vector_is_kept_as_it_is(tiny):
    (squeezed,) = engine_of(taps=("squeezed",), pooling="none").compute(some_pixels(3))
    (pooled_map,) = engine_of(taps=("first",), pooling="avg").compute(some_pixels(3))
    assert agreement(pooled_map, squeezed).within_tolerance


@pytest.mark.parametrize("pooling", ["avg", "max"])
@pytest.mark.parametrize("tap", ["squeezed", "gates"])
def test_a_vector_cannot_be_pooled(tiny, tap, pooling):
    with pytest.raises(InputError, match=rf"tap '{tap}' has shape \(8,\).*use --pooling none"):
        engine_of(taps=(tap,), pooling=pooling)


def test_an_unknown_layer_gets_the_nearest_names(tiny):
    with pytest.raises(InputError, match="'gate': did you mean gates or gated"):
        engine_of(taps=("gate",))
    with pytest.raises(InputError, match=r"'quite another'.*one of .*squeezed.*or 'output'"):
        engine_of(taps=("quite another",))


def test_a_size_that_the_backbone_refuses_is_said(tiny):
    with pytest.raises(InputError, match=r"tiny does not support images of 7×7 .*at least 8x8"):
        engine_of(image_size=7)


def test_the_engine_is_kept_from_one_shard_to_the_next(tiny):
    assert engine_of() is engine_of()
    assert engine_of() is not engine_of(pooling="max")


def test_the_producer_says_who_computed(tiny):
    producer = engine_of().producer
    assert producer["engine"] == "keras"
    assert producer["versions"]["keras"] == keras.__version__
    assert producer["versions"]["tensorflow"] == tf.__version__
    assert producer["instruction_set"]


def test_float32_is_not_rounded_on_the_way(tiny):
    tf.config.experimental.enable_tensor_float_32_execution(True)
    engine_of(weights_seed=99)
    assert not tf.config.experimental.tensor_float_32_execution_enabled()
