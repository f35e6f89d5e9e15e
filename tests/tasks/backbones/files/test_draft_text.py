"""A draft is TOML, whatever the names in the file are."""

import tomllib
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tasks.backbones.files.backbone import Input
from tasks.backbones.files.description import read_description
from tasks.backbones.files.draft import Draft
from tasks.backbones.files.draft_text import draft_text, quoted
from tasks.backbones.files.likely_taps import Tap
from tasks.backbones.files.steps import Network, Output

ANYTHING = st.text(st.characters(exclude_categories=()))  # with lone surrogates, too


def draft(name="tensor", tap="tensor", count=1, **changed):
    taps = [Tap(name, "tokens", (257, 8), "inner", place) for place in range(count)]
    outputs = [Output(name, (257, 8), place) for place in range(count)]
    size = changed.pop("size", (224, 224))
    network = Network(Input(name, (-1, 3, *size)), "NCHW", size, True, True, [], outputs)
    values = {"map_layout": "NCHW", "special_tokens": 1} | changed
    return Draft(name, "onnx", "clip", network, taps, tap, **values)


@given(st.text())
def test_any_text_is_a_string_of_toml_in_ascii(text):
    written = quoted(text)
    assert tomllib.loads(f"tap = {written}") == {"tap": text}
    assert written.isascii()
    assert written.isprintable()


@given(ANYTHING)
def test_no_name_ends_a_comment(name):
    """The kind: a tensor's name has a line break, and the rest of it is read as keys."""
    text = draft_text(draft(name))
    assert text.isascii()
    assert tomllib.loads(text) == {
        "preset": "clip",
        "image_size": 224,
        "layout": "NCHW",
        "tap": "tensor",
        "class_token": True,
        "register_tokens": 0,
    }


def test_a_draft_of_many_long_names_can_be_read(tmp_path):
    text = draft_text(draft("\U0001f98a" * 10_000, "\U0001f98a" * 400, count=1000))
    (tmp_path / "m.onnx.toml").write_text(text)
    assert read_description(tmp_path / "m.onnx").tap == "\U0001f98a" * 400
    assert "# and 980 more outputs" in text


def test_sides_and_registers_are_written_where_they_are_other_than_usual():
    text = draft_text(draft(size=(224, 448), special_tokens=5, map_layout="NHWC"))
    assert "image_size = [224, 448]\n" in text
    assert "register_tokens = 4" in text
    assert 'map_layout = "NHWC"\n' in text


def test_what_cannot_be_told_is_said():
    text = draft_text(draft(special_tokens=None))
    assert "# The file does not say: there are 257 tokens.\nclass_token = true" in text
    assert "class_token = false\n" in draft_text(draft(special_tokens=0))
    assert "#   none was found\n" in draft_text(draft(count=0))


def test_a_map_of_another_layout_than_the_best_says_so():
    """open-nsfw's maps have their channels first, and its last pooling has them last."""
    made = draft(map_layout="NHWC")
    maps = [Tap(f"map {shape}", "map", shape, "inner", 0) for shape in ((1, 1, 9), (9, 7, 7))]
    text = draft_text(replace(made, taps=maps))
    assert "(1, 1, 9)  --pooling avg or max\n" in text
    assert '(9, 7, 7)  --pooling avg or max, with map_layout = "NCHW"\n' in text
