"""Splits are told from classes by structure and name together, or refused with the fix."""

import shlex
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.datasets.folder_layout import AUTO, CLASSES, find_layout
from tasks.datasets.split_names import meanings
from tasks.errors import InputError
from tests.support.images import write
from tests.support.samples import few

CATS_AND_DOGS = ("cat", "dog")


def tree(folder, *places, classes=CATS_AND_DOGS):
    """Write one image a class below each place; one that ends in ! has its image in itself."""
    for place in places:
        for name in [""] if place.endswith("!") else classes:
            write(folder / place.removesuffix("!") / name / "1.png", b"")
    return folder


def told(folder, layout=AUTO):
    found = find_layout(folder, layout)
    return found.tops, found.classes


def refusal(folder, layout=AUTO):
    with pytest.raises(InputError) as error:
        find_layout(folder, layout)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("places", "tops"),
    [
        (["train", "validation"], {"train": "train", "validation": "validation"}),
        (["train", "val"], {"train": "train", "val": "validation"}),
        (["Train", "Valid", "Test"], {"Train": "train", "Valid": "validation", "Test": "test"}),
        (["training_set", "test_set"], {"training_set": "train", "test_set": "test"}),
        (["train2017", "val2017"], {"train2017": "train", "val2017": "validation"}),
        (["TRAIN", "TEST_SIMPLE"], {"TRAIN": "train", "TEST_SIMPLE": "test"}),
        (["pets_train", "pets_test"], {"pets_train": "train", "pets_test": "test"}),
        (["train", "test", "__MACOSX/train"], {"train": "train", "test": "test"}),
        (
            ["dataset/training_set", "dataset/test_set", "dataset/single_prediction!"],
            {"dataset/training_set": "train", "dataset/test_set": "test"},
        ),
        (["archive/train", "archive/dev"], {"archive/train": "train", "archive/dev": "validation"}),
        (["seg_train", "seg_test", "seg_pred!"], {"seg_train": "train", "seg_test": "test"}),
        (
            ["seg_train/seg_train", "seg_test/seg_test", "seg_pred/seg_pred!"],
            {"seg_train/seg_train": "train", "seg_test/seg_test": "test"},
        ),
    ],
)
def test_splits_of_any_usual_name_are_recognised(tmp_path, places, tops):
    assert told(tree(tmp_path, *places)) == (tops, CATS_AND_DOGS)


@pytest.mark.parametrize(
    ("places", "top"),
    [
        (["PetImages"], "PetImages"),
        (["a/b/c"], "a/b/c"),
        (["train"], "train"),
        (["train", "test1!"], "train"),
        (["train", "test/images!"], "train"),
        (["train/train", "test/unknown!"], "train/train"),
        (["PetImages", "__MACOSX/PetImages"], "PetImages"),
        (["pets_train/pets_train", "pets_test/pets_test!"], "pets_train/pets_train"),
    ],
)
def test_the_one_folder_of_class_folders_is_the_data_set(tmp_path, places, top):
    assert told(tree(tmp_path, *places)) == ({top: None}, CATS_AND_DOGS)


def test_what_is_not_plain_to_see_is_noted(tmp_path):
    tree(tmp_path / "pets", "seg_train", "seg_test", "seg_pred!")
    splits, unlabelled = find_layout(tmp_path / "pets").notes
    assert splits == "seg_train/ is train, seg_test/ is test, validation is a random part of train"
    assert "seg_pred/ has no class folders: its 1 images are left out" in unlabelled
    assert f"python -m flows.predict RUN {tmp_path / 'pets' / 'seg_pred'}" in unlabelled
    assert find_layout(tree(tmp_path / "a", "train", "validation", "test")).notes == ()
    (note,) = find_layout(tree(tmp_path / "b", "PetImages")).notes
    assert note == "the class folders are those of PetImages/"


@pytest.mark.parametrize(
    ("places", "classes"),
    [
        (["bus!", "train!"], ("bus", "train")),  # vehicles
        (["control!", "test!"], ("control", "test")),  # medicine
        (["test_strip!", "test_tube!"], ("test_strip", "test_tube")),
        (["cat/persian!", "cat/siamese!", "dog/beagle!"], ("cat", "dog")),
        (["cat/images!", "dog/images!"], ("cat", "dog")),
        (["bus/city!", "bus/coach!", "train/steam!"], ("bus", "train")),
        (["bus!", "train!", "train/steam!"], ("bus", "train")),
        (["cat!", "cat/2020!", "cat/2021!", "dog/2020!", "dog/2021!"], ("cat", "dog")),
        (["cat/2020!"], ("cat",)),
        (["cat!"], ("cat",)),
        ([f"{name}!" for name in "abcdef"], tuple("abcdef")),
    ],
)
def test_class_folders_are_classes_whatever_their_names(tmp_path, places, classes):
    found = find_layout(tree(tmp_path, *places))
    assert (found.tops, found.classes, found.notes) == ({"": None}, classes, ())


names = st.text(st.characters(codec="ascii", exclude_characters="/\0"), min_size=1, max_size=20)
words = st.sampled_from(["train", "test", "bus", "set", "2019", "Val", "fold", "tube"])
names |= st.lists(words, min_size=1, max_size=3).map("_".join)


@few
@given(st.sets(names.filter(lambda name: name[0] != "." and name == " ".join(name.split()))))
def test_folders_with_images_are_classes_unless_names_mean_splits(classes):
    meant = meanings(sorted(classes))
    with tempfile.TemporaryDirectory() as top:
        tree(Path(top), *(f"{name}!" for name in classes))
        if len(meant) > 1 or (meant and len(classes) == 1):
            assert "the names" in refusal(Path(top)) or "of the names" in refusal(Path(top))
        else:
            assert told(Path(top)) == ({"": None}, tuple(sorted(classes)))


@pytest.mark.parametrize(
    ("places", "flag"),
    [
        (["fold_0", "fold_1", "fold_2"], "train=fold_0,train=fold_1,test=fold_2"),
        (["TRAIN", "TEST", "TEST_SIMPLE"], "train=TRAIN,test=TEST"),
        (["train", "eval"], "train=train"),
        (["train", "val", "extra!"], "train=train,validation=val"),
        (["train", "unlabeled pictures!"], "train=train"),
        (["2019", "2020"], "train=2019,test=2020"),
        (["control", "test"], "train=control,test=test"),
        (["train", "val!"], "train=train"),
        (["2019", "2020", "more!"], "train=2019,test=2020"),
        (["part 1", "part 2"], "train=part 1,test=part 2"),
        (["2019/images", "2020/images"], "train=2019/images,test=2020/images"),
        (["Testen", "Trainieren"], "train=Trainieren,test=Testen"),
        (["Lernen", "Prüfung", "Validierung"], "train=Lernen,validation=Validierung,test=Prüfung"),
        (["conjunto_de_prueba", "entrenamiento"], "train=entrenamiento,test=conjunto_de_prueba"),
        (["测试集", "训练集"], "train=训练集,test=测试集"),
    ],
)
def test_what_does_not_follow_is_refused_with_the_flag_that_settles_it(tmp_path, places, flag):
    tree(tmp_path, *places)
    message = refusal(tmp_path)
    (words,) = [
        part.split(" with the right folders")[0] for part in message.split("--layout ")[1:2]
    ]
    (given,) = shlex.split(words)
    assert given == flag
    assert find_layout(tmp_path, given).classes == CATS_AND_DOGS
    assert f"--layout {CLASSES} if these are classes" in message
    assert told(tmp_path, CLASSES)[0] == {"": None}


def test_nothing_is_guessed_of_names_that_say_nothing(tmp_path):
    """The kind: advice that is likely the wrong way round."""
    message = refusal(tree(tmp_path, "alpha", "omega"))
    assert "give --layout train=FOLDER,test=FOLDER with the right folders" in message


@pytest.mark.parametrize("places", [["train", "valid"], [""], ["archive"]])
def test_a_data_set_for_detection_has_no_classes(tmp_path, places):
    for place in places:
        write(tmp_path / place / "images/1.jpg", b"")
        write(tmp_path / place / "labels/1.txt", b"")
    message = refusal(tmp_path)
    assert "looks like an object detection data set: images/ beside labels/" in message
    assert "expected one folder of images per class" in message


def test_yolos_own_layout_is_for_detection_too(tmp_path):
    for split in ("train", "val"):
        write(tmp_path / "images" / split / "1.jpg", b"")
        write(tmp_path / "labels" / split / "1.txt", b"")
    assert "an object detection data set" in refusal(tmp_path)


def test_classes_may_be_called_images_and_labels(tmp_path):
    assert told(tree(tmp_path, "images!", "labels!"))[1] == ("images", "labels")


@pytest.mark.parametrize(
    "places",
    [["train!", "test!"], ["fold_0!", "fold_1!"], ["test!"], ["pets_train!", "pets_test!"]],
)
def test_splits_without_class_folders_are_refused(tmp_path, places):
    message = refusal(tree(tmp_path, *places))
    assert "move the images into one folder per class" in message
    assert told(tmp_path, CLASSES)[1] == tuple(sorted(place.rstrip("!") for place in places))


def test_splits_below_each_class_are_refused(tmp_path):
    message = refusal(tree(tmp_path, "cat", "dog", classes=("train", "val")))
    assert "move the class folders below the split folders" in message
    assert told(tmp_path, CLASSES) == ({"": None}, CATS_AND_DOGS)


def test_splits_of_other_classes_are_refused(tmp_path):
    tree(tmp_path, "train")
    tree(tmp_path, "test", classes=("Cat", "dog"))
    message = refusal(tmp_path)
    assert "train/ and test/ must hold the same class folders" in message
    assert "'cat' and 'Cat' differ in case only" in message


def test_given_folders_are_taken_and_the_others_left_out_with_a_note(tmp_path):
    tree(tmp_path, "one", "two", "three", "four!")
    found = find_layout(tmp_path, "train=one,validation=two")
    assert found.tops == {"one": "train", "two": "validation"}
    assert found.notes[-1] == "left out, because not in --layout: 'four', 'three'"
    assert told(tmp_path, "train=one,train=two") == ({"one": None, "two": None}, CATS_AND_DOGS)


def test_a_given_folder_may_be_wrapped(tmp_path):
    tree(tmp_path, "one/one", "two/two")
    assert told(tmp_path, "train=one,test=two")[0] == {"one/one": "train", "two/two": "test"}


def test_a_folders_name_may_hold_a_comma(tmp_path):
    tree(tmp_path, "cats,dogs", "a=b")
    assert told(tmp_path, "train=cats,dogs,test=a=b")[0] == {"cats,dogs": "train", "a=b": "test"}


@pytest.mark.parametrize(
    "layout",
    ["split", "train", "train=", "train=/a", "train=../a", "train=a,test=a", "TRAIN=a"],
)
def test_what_is_no_layout_is_refused(tmp_path, layout):
    message = refusal(tmp_path, layout)
    assert message.startswith(
        f"--layout {layout}: expected auto, classes, unlabelled, or SPLIT=FOLDER"
    )


def test_a_given_folder_must_be_there(tmp_path):
    assert "no train split; add train=FOLDER" in refusal(tmp_path, "test=a")
    assert "folder 'b' not found; expected one of a" in refusal(tree(tmp_path, "a"), "train=b")
