import hashlib
import json
import os
import shutil
import zipfile
from dataclasses import replace

import keras
import pytest

from tasks.errors import InputError
from tasks.export.format_names import PLACES
from tasks.export.load import load_exported, predict_by
from tests.support.extraction import write_old_folder
from tests.support.images import encoded, pixels, rotated, write
from tests.support.samples import flip
from tests.tasks.export.test_write import FORMATS, exported


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """An exported model in all formats, and what its run says of some images."""
    pets = write_old_folder(tmp_path_factory.mktemp("exported") / "pets")
    folder = pets.parent / "model"
    expected, _ = exported(pets, folder)
    return folder, expected


@pytest.mark.parametrize("name", FORMATS)
def test_a_model_predicts_what_its_run_does(written, name):
    folder, expected = written
    said = list(predict_by([path for path, _ in expected], load_exported(folder / PLACES[name])))
    assert [one.predicted for one in said] == [one.predicted for _, one in expected]
    for one, (_, other) in zip(said, expected, strict=True):
        assert one.scores == pytest.approx(other.scores, abs=1e-3)


@pytest.mark.parametrize("name", FORMATS)
def test_rotated_photographs_and_formats_of_pillow_are_predicted_as_by_the_run(
    written, tmp_path, name
):
    """The kind: one file, two readings of it."""
    model = load_exported(written[0] / PLACES[name])
    photograph = pixels(0, 48, 64)
    paths = [
        write(tmp_path / "upright.png", encoded(photograph, "PNG")),
        write(tmp_path / "phone.png", rotated(photograph, 6, "PNG")),
        write(tmp_path / "scan.tif", rotated(photograph, 8, "TIFF")),
    ]
    upright, *others = predict_by(paths, model)
    assert all(one.scores == upright.scores for one in others)
    stored = list(predict_by(paths, replace(model, orientation="stored")))
    assert stored[0].scores == upright.scores != stored[1].scores


def test_the_folder_stands_for_its_first_model(written):
    folder, expected = written
    model = load_exported(folder)
    assert (model.classes, model.scores) == (("cats", "dogs"), "probability")
    assert len(model.calibrated.held_out.labels) == len(expected)
    assert f"only {len(expected)} held-out images" in model.calibrated.calibration.why_not
    card = (folder / "README.md").read_text()
    assert f"with this folder shows them: none, only {len(expected)} held-out images" in card
    assert next(predict_by([expected[0][0]], model)).predicted == expected[0][1].predicted


@pytest.mark.parametrize("name", FORMATS)
def test_a_model_does_not_need_the_others_of_its_folder(written, tmp_path, name):
    folder = shutil.copytree(written[0], tmp_path / "model")
    for other in set(FORMATS) - {name}:
        place = folder / PLACES[other]
        shutil.rmtree(place) if place.is_dir() else place.unlink()
    assert load_exported(folder).classes == ("cats", "dogs")


def test_a_bad_image_is_a_row_with_a_reason(written, tmp_path):
    folder, expected = written
    bad, gone = write(tmp_path / "bad.png", b"bad"), tmp_path / "gone.png"
    said = list(predict_by([bad, expected[0][0], gone], load_exported(folder)))
    assert [bool(one.predicted) for one in said] == [False, True, False]
    assert "cannot be decoded" in said[0].reason
    assert "cannot be read" in said[2].reason


@pytest.mark.parametrize("spoil", ["cut", "flipped", "gone"])
@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("keras", "model.keras"),
        ("openvino", "model.xml"),
        ("openvino", "model.bin"),
        ("saved-model", "saved_model/variables/variables.data-00000-of-00001"),
    ],
)
def test_a_damaged_model_is_refused(written, tmp_path, name, file, spoil):
    folder = shutil.copytree(written[0], tmp_path / "model")
    path = folder / file
    if spoil == "cut":
        path.write_bytes(path.read_bytes()[:500])
    elif spoil == "flipped":
        flip(path, path.stat().st_size // 2)
    else:
        path.unlink()
    with pytest.raises(InputError, match=rf"{path.name}: the model is damaged"):
        load_exported(folder / PLACES[name])


def test_a_model_that_unpacks_to_gigabytes_is_refused_before_it_is_loaded(tmp_path):
    """The kind: a small file that takes gigabytes, at another door."""
    with zipfile.ZipFile(tmp_path / "model.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", " " * 2**27)
    digest = hashlib.sha256((tmp_path / "model.keras").read_bytes()).hexdigest()
    about = {"classes": ["a", "b"], "scores": "margin", "sha256": {"model.keras": digest}}
    (tmp_path / "classes.json").write_text(json.dumps(about))
    with pytest.raises(InputError, match=r"unpacks to 134,217,728; export it again"):
        load_exported(tmp_path)
    (tmp_path / "classes.json").unlink()
    os.mkfifo(tmp_path / "classes.json")
    with pytest.raises(InputError, match="expected a model written by flows"):
        load_exported(tmp_path)


def test_a_foreign_keras_file_is_refused_and_its_code_not_executed(tmp_path):
    ran = tmp_path / "ran"
    code = f"__import__('pathlib').Path({str(ran)!r}).touch()"
    inputs = keras.Input((None, None, 3))
    layer = keras.layers.Lambda(eval(f"lambda x: ({code}, x)[1]"), output_shape=(None, None, 3))
    model = keras.Model(inputs, layer(inputs))
    model.save(tmp_path / "model.keras")
    ran.unlink(missing_ok=True)
    digests = {"model.keras": hashlib.sha256((tmp_path / "model.keras").read_bytes()).hexdigest()}
    about = {"classes": ["a", "b"], "scores": "probability", "sha256": digests}
    (tmp_path / "classes.json").write_text(json.dumps(about))
    with pytest.raises(InputError, match="not an exported model, or damaged"):
        load_exported(tmp_path / "model.keras")
    assert not ran.exists()


@pytest.mark.parametrize("content", [None, b"", b"[]", b'{"classes": 3, "scores": "x"}'])
def test_a_place_that_is_no_exported_model_is_said(tmp_path, content):
    write(tmp_path / "model.keras", b"")
    if content is not None:
        write(tmp_path / "classes.json", content)
    with pytest.raises(InputError, match=r"expected a model written by flows\.export"):
        load_exported(tmp_path / "model.keras")


def test_a_folder_without_a_model_is_said(written, tmp_path):
    write(tmp_path / "classes.json", (written[0] / "classes.json").read_bytes())
    with pytest.raises(InputError, match=r"no model found; expected saved_model or model\.keras"):
        load_exported(tmp_path)
