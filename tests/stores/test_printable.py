"""A name that is shown acts on nothing: not on a terminal, nor on the line that it stands in."""

import sys
import unicodedata

import pytest

from stores.printable import all_visible, visible


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("\x9b2J", "\\x9b2J"),
        ("a\nb\rc\td", "a\\nb\\rc\\td"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\u2066a\u2069", "\\u2066a\\u2069"),
        ("\udcff", "\\udcff"),
        ("a\u2028b\u200b", "a\\u2028b\\u200b"),
    ],
)
def test_what_cannot_be_seen_is_written_out(name, shown):
    assert visible(name) == shown
    assert visible(shown) == shown


@pytest.mark.parametrize(
    "name", ["cat", "日本語", "é", "a b", "می‌خواهم", "👨‍👩‍👧", "a\u3000b", "A$_$", "<b>|`"]
)
def test_what_can_be_seen_stays(name):
    assert visible(name) == name


def test_no_character_is_left_that_unicode_calls_a_control():
    kept = {"\u200c", "\u200d"}
    everything = set(map(chr, range(sys.maxunicode + 1))) - kept
    unseen = [c for c in everything if unicodedata.category(c) in {"Cc", "Cs", "Cf", "Zl", "Zp"}]
    assert len(unseen) > 2000
    shown = visible("".join(unseen))
    left = {c for c in shown if unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"}}
    assert not left
    bidi = {"RLE", "LRE", "RLO", "LRO", "PDF", "RLI", "LRI", "FSI", "PDI"}
    assert not {c for c in shown if unicodedata.bidirectional(c) in bidi}


def test_all_names_of_a_summary_are_visible():
    summary = {"\x1b": [{"path": "a\n"}, 1.5, None], "images": 3}
    assert all_visible(summary) == {"\\x1b": [{"path": "a\\n"}, 1.5, None], "images": 3}
