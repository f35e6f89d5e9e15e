import json
import subprocess
import sys
from dataclasses import replace
from functools import partial

import keras
import numpy as np
import pytest
import tensorflow as tf

from stores.runs.store import RunStore
from tasks.errors import InputError
from tasks.export.deviation import Deviation
from tasks.export.model_card import model_card
from tasks.export.write import check_new, export, images_of, possible_formats
from tasks.heads.presets import make_head
from tasks.inference.predict import load_classifier, predict
from tasks.training.planned_runs import PlannedRun
from tasks.training.train import train
from tests.support.extraction import extract, write_folder, write_old_folder
from tests.support.images import encoded, pixels, rotated, write
from tests.support.samples import RECIPE

# Four layers, which are written in a tenth of the time that a large backbone's take.
LENET = {"backbone": "lenet5", "image_size": 32}
MOBILENET = {"backbone": "mobilenet", "image_size": 32}
FORMATS = ("saved-model", "keras", "openvino")


@pytest.fixture(scope="module")
def pets(tmp_path_factory):
    return write_old_folder(tmp_path_factory.mktemp("export") / "pets")


def exported(pets, folder, kind="logistic", formats=FORMATS, spoil=lambda said: said, **request):
    """Export a head on untrained features of a small backbone; return what each format said."""
    store = pets.parent / "store"
    done = extract(pets, store, **LENET | request)
    asked = {"weights": "none", "backbone": request.get("backbone", "")}
    head = make_head(kind, {}, classes=2)
    plan = PlannedRun(done.manifest, done.job.recipes[0], head, 0, asked)
    (run_id,) = train([plan], store=store)
    run = RunStore(store).read(run_id)
    classifier = load_classifier(run, store=store)
    keys = set(map(bytes, done.manifest.select("validation").keys))
    paths = images_of(done.manifest, keys)
    said = [spoil(one) for one in predict(paths, classifier, batch_size=8, orientation="stored")]
    card = partial(model_card, run, done.manifest, classifier, store)
    expected = list(zip(paths, said, strict=True))
    return expected, export(classifier, expected, folder, formats=formats, card=card)


@pytest.mark.parametrize(
    ("kind", "backbone"), [("logistic", MOBILENET), ("svm", LENET), ("knn", LENET)]
)
def test_each_format_says_what_the_run_says(pets, tmp_path, kind, backbone):
    expected, found = exported(pets, tmp_path / "model", kind, **backbone)
    assert set(found) == set(FORMATS)
    assert all(one.within_tolerance and one.images == len(expected) for one in found.values())
    card = (tmp_path / "model/README.md").read_text()
    assert backbone["backbone"] in card
    assert "drawn at random" in card
    assert "(OpenVINO), from decoded images too:" in card
    assert all(f"| {name} | {len(expected)} | 0 |" in card for name in FORMATS)
    about = json.loads((tmp_path / "model/classes.json").read_text())
    assert about["classes"] == ["cats", "dogs"]


def test_rotated_photographs_and_formats_of_pillow_pass_the_comparison(tmp_path):
    pets = write_folder(tmp_path / "pets", count=8)
    for number in range(12):
        photograph, label = pixels(number, 48, 64), ("cats", "dogs")[number % 2]
        write(pets / label / f"phone{number}.jpg", rotated(photograph, 6, "JPEG"))
        write(pets / label / f"scan{number}.tif", rotated(photograph, 8, "TIFF"))
    expected, found = exported(pets, tmp_path / "model")
    assert {path.suffix for path, _ in expected} >= {".jpg", ".tif"}
    assert all(one.within_tolerance and one.images == len(expected) for one in found.values())
    card = (tmp_path / "model/README.md").read_text()
    assert "It was trained on upright images: turn rotated ones first" in card


@pytest.mark.parametrize(
    ("backbone", "size"),
    [("alexnet", 67), pytest.param("resnext50", 32, marks=pytest.mark.server)],
)
def test_what_keras_applications_lacks_is_of_built_in_layers_too(pets, tmp_path, backbone, size):
    options = {"backbone": backbone, "image_size": size, "formats": ("keras",)}
    expected, found = exported(pets, tmp_path / "model", **options)
    assert found["keras"].within_tolerance
    assert found["keras"].images == len(expected)


@pytest.mark.parametrize("size", [110, 219])
@pytest.mark.parametrize("aspect_ratio", ["crop", "pad"])
def test_images_are_cropped_or_padded_as_the_recipe_says(tmp_path, aspect_ratio, size):
    """For sides of 121 to 127 a product with the reciprocal of the size is a pixel less."""
    pets = tmp_path / "pets"
    for number in range(24):
        image, label = pixels(number, 160, 121 + number % 7), ("cats", "dogs")[number % 2]
        write(pets / label / f"{number}.png", encoded(image, "PNG"))
    formats = ["saved-model", "openvino"]
    options = {"formats": formats, "aspect_ratio": aspect_ratio, "image_size": size}
    expected, found = exported(pets, tmp_path / "model", **options)
    assert {name for name in formats if found[name].within_tolerance} == set(formats)
    from_images = tf.saved_model.load(tmp_path / "model/saved_model").signatures["from_images"]
    for path, said in expected:
        image = keras.utils.img_to_array(keras.utils.load_img(path))[np.newaxis]
        (scores,) = from_images(images=tf.constant(image))["probability"]
        np.testing.assert_allclose(scores, said.scores, atol=1e-3)


def test_a_map_is_flattened_as_the_head_learned_it(pets, tmp_path):
    _, found = exported(
        pets,
        tmp_path / "model",
        formats=["keras"],
        taps=("conv_pw_3_relu",),
        pooling="none",
        **MOBILENET,
    )
    assert found["keras"].within_tolerance


LOAD = """
import sys
sys.modules |= dict.fromkeys(("flows", "tasks", "stores"))  # None: they cannot be imported
import json, numpy as np, keras, tensorflow as tf
folder, *paths = sys.argv[1:]
contents = [open(path, "rb").read() for path in paths]
say = tf.saved_model.load(folder + "/saved_model").signatures["serving_default"]
labels = [label.decode() for label in say(bytes=tf.constant(contents))["label"].numpy()]
model = keras.saving.load_model(folder + "/model.keras")
images = [keras.utils.img_to_array(keras.utils.load_img(path))[None] for path in paths]
classes = json.load(open(folder + "/classes.json"))["classes"]
again = [classes[int(np.argmax(model(image)))] for image in images]
print(json.dumps([labels, again]))
"""


def test_a_process_without_gargalo_gets_the_same_labels(pets, tmp_path):
    expected, _ = exported(pets, tmp_path / "model", formats=["saved-model", "keras"])
    paths = [str(path) for path, _ in expected]
    done = subprocess.run(
        [sys.executable, "-I", "-c", LOAD, str(tmp_path / "model"), *paths],
        capture_output=True,
        check=True,
        cwd=tmp_path,
        text=True,
    )
    said = [one.predicted for _, one in expected]
    assert json.loads(done.stdout.splitlines()[-1]) == [said, said]


def test_a_model_that_says_something_else_is_not_written(pets, tmp_path):
    turned = lambda said: replace(said, scores=said.scores[::-1])  # noqa: E731
    with pytest.raises(InputError, match=r"on \d+ of \d+ validation images.*nothing was"):
        exported(pets, tmp_path / "model", formats=["keras"], spoil=turned)
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    ("name", "request_", "fix"),
    [
        ("keras", {"aspect_ratio": "crop"}, "layer may crop .*: use --format saved-model or openv"),
        ("keras", {"aspect_ratio": "pad", "decode": "fast"}, "layer may pad .*with --decode fast:"),
        (
            "saved-model",
            {"aspect_ratio": "crop"},
            "written; use --format keras or openvino, or ",
        ),
        (
            "keras",
            {"dtype": "float16"},
            "; the features were extracted with --dtype float16:",
        ),
    ],
)
def test_the_fix_is_for_what_the_run_has(pets, tmp_path, name, request_, fix):
    turned = lambda said: replace(said, scores=said.scores[::-1])  # noqa: E731
    with pytest.raises(InputError, match=fix) as error:
        exported(pets, tmp_path / "model", formats=[name], spoil=turned, **request_)
    assert "int8" not in str(error.value)


def test_scores_that_are_a_little_off_are_said_by_how_much(pets, tmp_path):
    off = lambda said: replace(said, scores=(said.scores[0] + 0.004, said.scores[1]))  # noqa: E731
    with pytest.raises(InputError, match=r"scores up to 0\.00[34]"):
        exported(pets, tmp_path / "model", formats=["keras"], spoil=off)


@pytest.mark.parametrize(
    ("backbone", "formats"),
    [
        ("lenet5", ["saved-model", "keras", "openvino"]),
        ("keras-0123abcd", ["saved-model", "keras", "openvino"]),
        ("kerashub-0123abcd", ["saved-model", "openvino"]),
        ("ir-0123abcd", ["openvino"]),
    ],
)
def test_a_backbone_has_the_formats_that_hold_its_layers(backbone, formats):
    assert possible_formats(replace(RECIPE, backbone=backbone)) == formats


def test_what_openvino_cannot_run_is_one_line_and_not_written(pets, tmp_path, monkeypatch):
    def read(*_):
        raise RuntimeError("Check 'in == out' failed\nwhile validating Reshape_5")

    monkeypatch.setattr("tasks.export.formats.read_model", read)
    match = r"OpenVINO cannot run lenet5, .*Reshape_5; use --format saved-model or keras"
    with pytest.raises(InputError, match=match) as error:
        exported(pets, tmp_path / "model", formats=("openvino",))
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(RuntimeError, match="in == out"):
        exported(pets, tmp_path / "model", formats=("saved-model",))


@pytest.mark.parametrize(
    ("precision", "labels", "largest", "mean", "same"),
    [
        ("float32", 0, 9e-4, 1e-4, True),
        ("float32", 0, 2e-3, 1e-4, False),
        ("float32", 1, 9e-4, 1e-4, False),
        ("int8", 3, 0.3, 0.01, True),
        ("int8", 4, 0.3, 0.01, False),
        ("int8", 0, 0.3, 0.03, False),
    ],
)
def test_at_int8_rounding_may_change_a_few_scores(precision, labels, largest, mean, same):
    assert Deviation(300, labels, largest, mean, precision).within_tolerance == same


def test_what_is_there_is_replaced_only_by_force(pets, tmp_path):
    exported(pets, tmp_path / "model", formats=["keras"])
    check_new(tmp_path / "other", force=False)
    with pytest.raises(InputError, match="already exists; give another folder, or --force"):
        check_new(tmp_path / "model", force=False)
    check_new(tmp_path / "model", force=True)
    (tmp_path / "photos").mkdir()
    with pytest.raises(InputError, match="not an exported model, which --force could"):
        check_new(tmp_path / "photos", force=True)
    exported(pets, tmp_path / "model", formats=["openvino"])
    assert not (tmp_path / "model/model.keras").exists()
    assert (tmp_path / "model/model.xml").exists()
    card = (tmp_path / "model/README.md").read_text()
    assert "(OpenVINO), from decoded images:" in card  # not "too", after another format


def test_the_file_of_keras_holds_built_in_layers_only(pets, tmp_path):
    exported(pets, tmp_path / "model", formats=["keras"])
    model = keras.saving.load_model(tmp_path / "model/model.keras", safe_mode=True)
    assert all(type(layer).__module__.startswith("keras.") for layer in model._flatten_layers())
    assert np.isfinite(model(np.zeros((1, 50, 40, 3), "f4"))).all()
