"""Names of unpacked images: safe, unique, and the same each time."""

import unicodedata
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stores.storage.safe_files import within
from tasks.datasets.unpacked_names import Names, is_plain
from tests.support.images import every_kind, small_png

PNG, OTHER = small_png(0), small_png(1)


def digest_of(content):
    return Names().name(content, None).partition(".")[0]


@pytest.mark.parametrize("name", ["1.png", "cats/1.png", "a b/c (2).png", "猫/é.png", "a..b.png"])
def test_plain_names_are_kept(name):
    assert Names().name(PNG, name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/etc/x.png",
        "../x.png",
        "a/../x.png",
        "./x.png",
        "a//x.png",
        "a/",
        "a\0.png",
        "a\n.png",
        "\u202egnp.png",
        "C:x.png",
        "a\\b.png",
        ".x.png",
        ".a/x.png",
        "__MACOSX/x.png",
        "Thumbs.db",
        " x.png",
        "a /x.png",
        "x" * 250 + ".png",
        "猫" * 80 + ".png",
        "a/" * 40 + "x.png",
        "abc/" * 30 + "x" * 190 + "/" + "y" * 190 + "/" + "z" * 600,
    ],
)
def test_other_names_give_way_to_a_digest(name):
    assert not is_plain(name)
    assert Names().name(PNG, name) == f"{digest_of(PNG)}.png"


@pytest.mark.parametrize(
    ("given", "kind", "name"),
    [
        ("1.png", "rgb.jpg", "1.jpg"),
        ("1.JPEG", "rgb.jpg", "1.JPEG"),
        ("1.jpg", "static.gif", "1.gif"),
        ("1", "rgb.png", "1.png"),
        ("v1.5", "rgb.png", "v1.5.png"),
        ("1.tif", "rgb.bmp", "1.bmp"),
    ],
)
def test_the_ending_is_the_contents(given, kind, name):
    assert Names().name(every_kind()[kind], given) == name


def test_no_image_keeps_its_ending():
    assert Names().name(b"no image", "1.jpg") == "1.jpg"
    assert Names().name(b"no image", "1.exe") == "1.exe.bin"
    assert Names().name(b"", None).endswith(".bin")


def test_names_that_are_there_already():
    names = Names()
    given = ["1.png", "1.png", "1.PNG", "1.png", None, None, f"{digest_of(PNG)}.png"]
    stem = digest_of(PNG)
    assert [names.name(PNG, name) for name in given] == [
        "1.png",
        f"1-{stem}.png",
        f"1-{stem}-2.png",
        f"1-{stem}-3.png",
        f"{stem}.png",
        f"{stem}-2.png",
        f"{stem}-{stem}.png",
    ]


def test_a_file_and_a_folder_of_one_name():
    names = Names()
    assert names.name(PNG, "a.png") == "a.png"
    assert names.name(OTHER, "a.png/b.png") == f"{digest_of(OTHER)}.png"
    assert names.name(PNG, "b.png/1.png") == "b.png/1.png"
    assert names.name(PNG, "B.png") == f"B-{digest_of(PNG)}.png"


ODD = st.sampled_from(["a.png", "A.PNG", "a.png/b.png", "é.png", "e\u0301.png", "a/b", "a-2.png"])


@given(st.lists(st.tuples(st.sampled_from([PNG, OTHER, b"x"]), st.none() | ODD | st.text())))
def test_all_names_are_safe_distinct_and_the_same_again(rows):
    names, again = Names(), Names()
    found = [names.name(*row) for row in rows]
    assert found == [again.name(*row) for row in rows]
    folded = [unicodedata.normalize("NFC", name).casefold() for name in found]
    folders = {str(parent) for name in folded for parent in PurePosixPath(name).parents}
    assert len(set(folded)) == len(folded)
    assert not folders & set(folded)
    assert all(within(PurePosixPath("/x"), name) and is_plain(name) for name in found)


def test_many_images_of_one_name_are_named_at_once():
    """The kind: a search from 2 on for each image of the same name and the same bytes."""
    names = Names()
    found = {names.name(PNG, "image.png") for _ in range(5_000)}
    assert len(found) == 5_000
