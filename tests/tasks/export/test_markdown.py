"""Values in Markdown come out as they are, by a parser of CommonMark and of its tables."""

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from tasks.export.markdown import block, code, escape, render

NAMES = ["<img src=x onerror=alert(1)>", "a|b", "*a* _b_ `c`", "[x](http://evil)", "![x](y)", "\\"]
NAMES += ["<https://evil>", "&lt;b&gt;", "a ``b` c", "`", "~~a~~", "# a", "A$_$", "a@b.example"]
PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def text_of(markdown):
    """Return the text of a page, and the names of its elements."""
    page = PARSER.render(markdown)
    return html.unescape(re.sub("<[^>]*>", "", page)).strip(), set(re.findall(r"<(\w+)", page))


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_text_and_no_markup(name):
    assert text_of(f"name: {escape(name)}") == (f"name: {name}", {"p"})
    cells, elements = text_of(f"| a | b |\n|---|---|\n| {escape(name)} | 1 |")
    assert cells.split() == ["a", "b", *name.split(), "1"]
    assert elements == {"table", "thead", "tbody", "tr", "th", "td"}


@given(st.text(st.characters(blacklist_categories=["Cs"]), min_size=1))
def test_any_text_is_text(name):
    text, elements = text_of(f"x{escape(name)}x")
    assert elements == {"p"}
    assert "\x1b" not in text


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_code(name):
    text, elements = text_of(code(name))
    assert text == name.replace("|", "¦")
    assert elements == {"p", "code"}


def test_lines_are_a_block_whatever_is_in_them():
    lines = "a\n```\n<b>\n````\nc"
    assert text_of(block(lines)) == (lines, {"pre", "code"})


def test_no_address_begins_in_a_name():
    assert escape("https://evil WWW.evil") == "https\\://evil WWW\\.evil"
    assert escape("mobilenet_v2") == "mobilenet_v2"


def test_a_value_that_is_missing_is_an_error():
    with pytest.raises(Exception, match="undefined"):
        render("card.md.jinja")
