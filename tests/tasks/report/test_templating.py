"""The report's page: what it says is escaped, whole and readable, and it fetches nothing."""

import re
from dataclasses import replace

import pytest

from stores.dataset_summary import FileReason
from tasks.report.templating import count, duration, percent, plain
from tests.support.entries import entries_of, with_entries
from tests.support.reports import DENSE, make_manifest, open_test, report, train

EVIL = "<script>alert('x')</script>"
QUOTED = "\"quoted\" & 'single'\nline"


@pytest.fixture
def manifest(tmp_path):
    return make_manifest(tmp_path)


@pytest.fixture
def evil_page(store, tmp_path):
    manifest = make_manifest(tmp_path, (EVIL, QUOTED, "\u202eltr"), name=f"set {EVIL[1:8]}")
    images = [replace(e, path=f"{EVIL[:8]}{n}") for n, e in enumerate(entries_of(manifest))]
    manifest = with_entries(manifest, entries=tuple(images))
    run = train(
        store,
        manifest,
        {"kind": EVIL, QUOTED: EVIL},
        parameters={EVIL: QUOTED, "head": EVIL},
        versions={EVIL: EVIL},
    )
    open_test(store, manifest, run)
    about = {"engine": EVIL, "rejected": (FileReason(QUOTED, EVIL),)}
    return report(store, manifest, [run], **about)


def test_names_are_shown_and_not_obeyed(evil_page):
    assert "<script" not in evil_page.raw
    assert "script" not in {tag for tag, _ in evil_page.tags}
    assert EVIL in evil_page.text
    assert QUOTED.replace("\n", "\\n") in evil_page.text
    assert "\\u202eltr" in evil_page.text
    assert "\u202e" not in evil_page.raw
    assert not [name for _, about in evil_page.tags for name in about if name.startswith("on")]


def test_nothing_is_fetched_from_anywhere(evil_page, store, manifest):
    for page in (evil_page, report(store, manifest, [train(store, manifest, DENSE, epochs=2)])):
        addresses = [
            address
            for name in ("src", "href", "xlink:href", "srcset", "data", "poster", "action")
            for address in page.attributes(name)
        ]
        assert addresses
        others = {one for one in addresses if not one.startswith(("data:", "#"))}
        assert others == {"index.html"}  # of all reports, beside it
        assert "http" not in page.raw
        assert "@import" not in page.raw
        assert all(url.startswith("#") for url in re.findall(r"url\(([^)]*)\)", page.raw))


def test_each_identifier_stands_once_and_each_fragment_leads_somewhere(store, manifest):
    runs = [train(store, manifest, DENSE, epochs=3, seed=seed) for seed in range(2)]
    page = report(store, manifest, runs)
    identifiers = page.attributes("id")
    assert len(identifiers) == len(set(identifiers))
    fragments = [*page.attributes("href"), *page.attributes("xlink:href")]
    assert {f[1:] for f in fragments if f.startswith("#")} <= set(identifiers)


def test_long_class_names_are_whole(store, tmp_path):
    names = [f"{'long ' * 11}{n:05d}" for n in range(3)]
    manifest = make_manifest(tmp_path, names)
    run = train(store, manifest, DENSE)
    assert all(name in report(store, manifest, [run]).section("confusion") for name in names)


def test_numbers_are_written_for_readers():
    assert [percent(s) for s in (0, 0.0001, 0.5, 0.9999, 1, None)] == [
        "0%", "< 0.1%", "50.0%", "> 99.9%", "100%", "–",
    ]  # fmt: skip
    assert [count(1, "image"), count(1234, "class")] == ["1 image", "1,234 classes"]
    assert [duration(s) for s in (1.25, 75.25, 7260)] == ["1.2 s", "1 min 15 s", "2 h 1 min"]
    assert plain("a\tb\udcff") == "a\\tb\\udcff"
