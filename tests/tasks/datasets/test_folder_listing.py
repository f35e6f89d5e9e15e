"""What is listed is what Keras finds; what cannot be a data set is said in one line."""

import os
import tempfile
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras.src.utils.image_dataset_utils import ALLOWLIST_FORMATS

from stores.manifest_rows import STAMP
from tasks.datasets.folder_layout import CLASSES
from tasks.datasets.folder_listing import list_folder
from tasks.datasets.folder_structure import KERAS_ENDINGS, inside_of
from tasks.errors import InputError
from tasks.images.image_files import IMAGE_ENDINGS
from tests.support.images import small_png, write
from tests.support.samples import in_child


def touch(folder, *paths):
    for path in paths:
        write(folder / path, b"")
    return folder


def labels_of_keras(folder):
    """Return the label of each file that Keras finds outside hidden folders, and its classes."""
    dataset = keras.utils.image_dataset_from_directory(folder, shuffle=False, verbose=False)
    paths = [Path(os.path.relpath(path, folder)) for path in dataset.file_paths]
    visible = [p for p in paths if not any(part.startswith(".") for part in p.parts[:-1])]
    return {str(path): path.parts[0] for path in visible}, dataset.class_names


def rows(table):
    return [SimpleNamespace(**row) for row in table.to_pylist()]


def labels_of(listing, endings=KERAS_ENDINGS):
    """Return the label of each image, of those with the endings that Keras lists."""
    images = [file for file in rows(listing.files) if file.is_image]
    return {file.path: file.label for file in images if file.path.lower().endswith(endings)}


def refusal(folder):
    with pytest.raises(InputError) as error:
        list_folder(folder)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.fixture
def odd(tmp_path):
    """A folder with one of everything that a listing may trip over."""
    folder, elsewhere = tmp_path / "odd", tmp_path / "elsewhere"
    paths = ["cat/1.png", "cat/UPPER.PNG", "cat/Mixed.JpG", "cat/.hidden.png", "cat/.hid/2.png"]
    paths += ["cat/a/b/c/3.jpeg", "cat/4.webp", "cat/5.txt", "cat/png", "cat/.png", "cat/6.png.txt"]
    paths += ["b dog/Ärger\n.gif", "b dog/é ü.bmp", "B/1.png", ".hidden/1.png", "loose.png"]
    paths += ["empty/readme", "cat/folder.png/7.png"]
    for number, path in enumerate(paths):
        write(folder / path, small_png(number))
    write(elsewhere / "linked" / "8.png", small_png(100))
    (folder / "linked class").symlink_to(elsewhere / "linked")
    (folder / "cat" / "linked folder").symlink_to(elsewhere / "linked")
    (folder / "cat" / "linked.png").symlink_to(elsewhere / "linked" / "8.png")
    (folder / "no class").symlink_to(elsewhere / "missing")
    (folder / "itself").symlink_to("itself")
    return folder


def test_the_endings_are_those_of_keras_and_more():
    assert sorted(ALLOWLIST_FORMATS) == sorted(KERAS_ENDINGS)
    assert set(KERAS_ENDINGS) < set(IMAGE_ENDINGS)


def test_files_of_formats_that_keras_does_not_list_are_images_too(tmp_path):
    others = sorted(set(IMAGE_ENDINGS) - set(KERAS_ENDINGS))
    paths = [f"cat/{n}{ending.upper() if n % 2 else ending}" for n, ending in enumerate(others)]
    listing = list_folder(touch(tmp_path, *paths))
    assert labels_of(listing, IMAGE_ENDINGS) == dict.fromkeys(paths, "cat")


def test_files_and_labels_are_those_of_keras(odd):
    expected, names = labels_of_keras(odd)
    listing = list_folder(odd)
    assert labels_of(listing) == expected
    assert listing.classes == tuple(names)
    assert listing.layout.tops == {"": None}
    assert len(expected) == 12


def test_labels_are_those_that_keras_trains_on(odd):
    dataset = keras.utils.image_dataset_from_directory(odd, shuffle=False, image_size=(4, 4))
    numbers = np.concatenate([labels for _, labels in dataset.as_numpy_iterator()])
    listing = list_folder(odd)
    labels = labels_of(listing)
    paths = [os.path.relpath(path, odd) for path in dataset.file_paths]
    told = zip(paths, numbers, strict=True)
    assert {path: listing.classes[n] for path, n in told if path in labels} == labels


names = st.sampled_from(["a", "B", "a b", ".h", "é", "x.png", "trains"])
endings = st.sampled_from([".png", ".PNG", ".jpg", ".jpeg", ".Gif", ".bmp", ".webp", ".txt", ""])
trees = st.lists(
    st.tuples(st.lists(names, max_size=3), st.sampled_from(["1", ".2", "3.png", "ß"]), endings),
    min_size=1,
    max_size=12,
)


@settings(max_examples=40)
@given(trees)
def test_whatever_the_tree_files_and_labels_are_those_of_keras(tree):
    with tempfile.TemporaryDirectory() as top:
        folder = touch(Path(top), "class/0.png")
        for parents, name, ending in tree:
            path = folder.joinpath(*parents, name + ending)
            if not path.exists() and not any(above.is_file() for above in path.parents):
                touch(folder, path)
        listing = list_folder(folder, CLASSES)  # by themselves some names could be of splits
        expected, classes = labels_of_keras(folder)
        assert labels_of(listing) == expected
        assert listing.classes == tuple(classes)


def test_files_of_operating_systems_are_not_listed(odd):
    before = [file.path for file in rows(list_folder(odd).files)]
    names = ["._1.png", "._4.webp", ".DS_Store", "Thumbs.db", "desktop.ini", ".gitkeep", "Icon\r"]
    touch(odd, *names, *(f"cat/{name}" for name in names), *(f"cat/a/{name}" for name in names))
    assert [file.path for file in rows(list_folder(odd).files)] == before


def test_a_folder_of_files_of_an_operating_system_has_no_images(tmp_path):
    touch(tmp_path, "cat/1.png", "dog/._1.png", "dog/.DS_Store")
    assert labels_of(list_folder(tmp_path)) == {"cat/1.png": "cat"}
    assert not inside_of(tmp_path / "dog").images


def test_all_files_are_listed_in_the_order_of_their_paths(odd):
    paths = [file.path for file in rows(list_folder(odd).files)]
    assert paths == sorted(paths)
    everything = {str(path.relative_to(odd)) for path in odd.rglob("*") if not path.is_dir()}
    assert set(paths) == everything - {".hidden/1.png"} | {"linked class/8.png"}


def test_a_stamp_is_that_of_the_file_behind_a_link(odd):
    stamps = {
        file.path: tuple(getattr(file, name) for name in STAMP)
        for file in rows(list_folder(odd).files)
    }
    about = (odd / "linked class" / "8.png").stat()
    expected = (about.st_size, about.st_mtime_ns, about.st_ctime_ns, about.st_ino)
    assert stamps["linked class/8.png"] == stamps["cat/linked.png"] == expected


def test_files_have_the_split_of_their_folder(tmp_path):
    classes = ("cat", "dog")
    touch(tmp_path, *[f"{split}/{c}/1.png" for split in ("train", "validation") for c in classes])
    touch(tmp_path, "test/cat/1.png", "test/dog/1.png", "train/loose.png", ".git/x", "notes.txt")
    listing = list_folder(tmp_path)
    assert listing.classes == classes
    assert not listing.notes
    files = {file.path: (file.split, file.label) for file in rows(listing.files)}
    assert len(files) == 8
    assert files["test/dog/1.png"] == ("test", "dog")
    assert files["train/loose.png"] == ("train", None)
    assert files["notes.txt"] == (None, None)


def test_all_files_of_all_folders_above_the_classes_are_listed(tmp_path):
    touch(tmp_path, "0.txt", "a/1.png", "a/b/cat/2.png", "a/b/dog/3.png", "a/b/4.txt")
    files = {file.path: file.label for file in rows(list_folder(tmp_path).files)}
    assert files == {"0.txt": None, "a/1.png": "cat"} | files
    assert set(files) == {"0.txt", "a/1.png", "a/b/4.txt", "a/b/cat/2.png", "a/b/dog/3.png"}


@pytest.mark.parametrize("place", [".ipynb_checkpoints", "a/.thumbs/b", "@eaDir"])
def test_images_in_hidden_folders_are_of_no_class_and_counted(tmp_path, place):
    touch(tmp_path, "cat/1.png", f"cat/{place}/1.png", f"cat/{place}/2.PNG", f"cat/{place}/3.txt")
    listing = list_folder(tmp_path)
    assert labels_of(listing) == {"cat/1.png": "cat"}
    assert len(listing.files) == 4
    (note,) = listing.notes
    assert note == f"2 images in hidden folders are left out, for example in cat/{place}/"


@pytest.mark.parametrize("name", ["__MACOSX", "@eaDir", ".thumbs"])
def test_a_folder_of_another_program_is_no_class(tmp_path, name):
    touch(tmp_path, "cat/1.png", "dog/1.png", f"{name}/cat/._1.png", f"{name}/1.png")
    assert list_folder(tmp_path).classes == ("cat", "dog")


def test_classes_that_differ_in_case_only_are_told(tmp_path):
    """The kind: two classes that a person takes for one."""
    touch(tmp_path, "pets/Cat/1.png", "pets/cat/2.png", "pets/dog/1.png")
    listing = list_folder(tmp_path)
    assert listing.classes == ("Cat", "cat", "dog")
    assert listing.notes == (
        "the class folders are those of pets/",
        "'Cat' and 'cat' are two classes, and differ in case only; if they are the same class, "
        "move the images of both into one folder",
    )


def test_a_split_without_images_is_refused_with_its_folder(tmp_path):
    """The kind: a message of Keras's own, without a way out."""
    touch(tmp_path, "train/cat/1.png", "train/dog/1.png", "test/cat/1.png", "test/dog/1.png")
    for name in ("cat", "dog"):
        (tmp_path / "valid" / name).mkdir(parents=True)
    message = refusal(tmp_path)
    assert message.startswith(f"{tmp_path / 'valid'}: no image in its class folders")
    assert message.endswith("add images, or remove the folder")


def test_links_to_folders_within_a_class_are_counted(tmp_path):
    touch(tmp_path, "elsewhere/1.png", "pets/cat/1.png", "pets/dog/1.png")
    (tmp_path / "pets/cat/more").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "pets/cat/again").symlink_to(tmp_path / "pets/cat")
    (tmp_path / "pets/linked class").symlink_to(tmp_path / "elsewhere")
    listing = list_folder(tmp_path / "pets")
    assert labels_of(listing).keys() == {"cat/1.png", "dog/1.png", "linked class/1.png"}
    (note,) = listing.notes
    assert "2 links to folders within a class are not followed, for example cat/again;" in note


def test_a_path_too_long_for_the_system_costs_that_file(tmp_path):
    touch(tmp_path, "cat/1.png")
    place = os.open(tmp_path / "cat", os.O_RDONLY)
    for _ in range(17):
        os.mkdir("a" * 250, dir_fd=place)
        deeper = os.open("a" * 250, os.O_RDONLY, dir_fd=place)
        os.close(os.open("b" * 200 + ".png", os.O_CREAT | os.O_WRONLY, dir_fd=deeper))
        os.close(place)
        place = deeper
    os.close(place)
    files = rows(list_folder(tmp_path).files)
    troubled = [file for file in files if file.trouble]
    assert {file.trouble for file in troubled} == {"File name too long"}
    assert len(files) - len(troubled) > 10


def test_a_folder_must_be_there_and_a_folder_and_have_images(tmp_path):
    assert "folder not found" in refusal(tmp_path / "missing")
    assert "expected a folder, found a file" in refusal(write(tmp_path / "file.png", b""))
    (tmp_path / "folder").mkdir()
    assert "no image in a class folder" in refusal(tmp_path / "folder")
    touch(tmp_path / "folder", "loose.png", "cat/1.txt", ".hidden/1.png")
    assert "no image in a class folder" in refusal(tmp_path / "folder")


def test_what_is_no_regular_file_is_listed_with_its_trouble(tmp_path):
    touch(tmp_path, "cat/1.png")
    os.mkfifo(tmp_path / "cat" / "pipe.jpg")
    (tmp_path / "cat" / "dangling.jpg").symlink_to("missing.jpg")
    (tmp_path / "cat" / "itself.jpg").symlink_to("itself.jpg")
    (tmp_path / "cat" / "odd.jpg").symlink_to(os.fsdecode(b"\xff"))
    troubles = {file.path: file.trouble for file in rows(list_folder(tmp_path).files)}
    assert troubles == {
        "cat/1.png": "",
        "cat/pipe.jpg": "not a regular file",
        "cat/dangling.jpg": "dangling link to 'missing.jpg'",
        "cat/itself.jpg": "dangling link to 'itself.jpg'",
        "cat/odd.jpg": "dangling link to '\\udcff'",
    }


@pytest.mark.parametrize("place", [b"cat/\xff.jpg", b"cat/\xff/1.jpg"])
def test_a_name_that_keras_cannot_read_costs_that_file(tmp_path, place):
    touch(tmp_path, "cat/1.png", Path(os.fsdecode(place)))
    listing = list_folder(tmp_path)
    (odd,) = [file for file in rows(listing.files) if file.trouble]
    assert "\\xff" in odd.path
    assert "the name is not UTF-8" in odd.trouble
    assert not listing.is_utf8


def test_a_class_whose_name_keras_cannot_read_is_refused(tmp_path):
    touch(tmp_path, "cat/1.png", Path(os.fsdecode(b"\xff/1.txt")))
    assert "the name is not UTF-8" in refusal(tmp_path)


def test_a_folder_whose_name_keras_cannot_read_is_refused(tmp_path):
    folder = touch(tmp_path / os.fsdecode(b"\xff"), "cat/1.png")
    assert "the name is not UTF-8" in refusal(folder)


def test_any_name_will_do_for_a_file_that_is_ignored(tmp_path):
    touch(tmp_path, "cat/1.png", os.fsdecode(b"\xff.txt"), os.fsdecode(b"cat/\xfe.txt"))
    listing = list_folder(tmp_path)
    assert listing.is_utf8
    paths = [file.path for file in rows(listing.files)]
    assert paths == ["\\xff.txt", "cat/1.png", "cat/\\xfe.txt"]


def test_a_closed_folder_is_refused(public):
    touch(public, "folder/cat/1.png")
    (public / "folder").chmod(0)
    assert "Permission denied" in in_child(lambda: refusal(public / "folder"), nobody=True)


def test_a_closed_folder_in_a_class_is_listed_with_its_trouble(public):
    touch(public, "cat/1.png", "cat/closed/2.png")
    (public / "cat" / "closed").chmod(0)
    files = in_child(lambda: rows(list_folder(public).files), nobody=True)
    assert {file.path: file.trouble for file in files} == {
        "cat/1.png": "",
        "cat/closed/": "Permission denied",
    }
    assert [file.path for file in files if file.is_image] == ["cat/1.png"]
