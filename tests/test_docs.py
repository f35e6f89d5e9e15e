"""README.md and docs/: what they name, link to and show is there, and works."""

import re
import shlex

import pytest

from flows.cli.command_line import make_app
from tasks.backbones.registry import BACKBONES
from tasks.datasets.digits_sample import write_sample
from tests.support.extraction import extract, write_folder
from tests.support.flows import flow_of
from tests.support.places import ROOT
from tests.support.tiny import TINY

GUIDES = sorted((ROOT / "docs").glob("*.md"))
PAGES = [ROOT / "README.md", *GUIDES]
LINKING = [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]
MOST_LINES = 150  # of the README
# At the beginning of a line of a block; between backticks, where it may go on in the next line.
_IN_BLOCK = re.compile(r"^python -m flows\.([a-z]+)\b([^#>\n]*)", re.MULTILINE)
_IN_LINE = re.compile(r"(?<!`)`python -m flows\.([a-z]+)\b([^`]*)`")
_SNIPPET = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
_BLOCK = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")


def name_of(page):
    """Return a page's path in the project."""
    return page.relative_to(ROOT).as_posix()


def text_of(page):
    return page.read_text(encoding="utf-8")


def snippets_of(page):
    return _SNIPPET.findall(text_of(page))


def commands_of(page):
    """Return (flow, arguments) of each command, in a block or between backticks."""
    text = text_of(page)
    found = _IN_BLOCK.findall(text) + _IN_LINE.findall(text)
    return [(flow, " ".join(arguments.split())) for flow, arguments in found]


def anchors_of(page):
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", _BLOCK.sub("", text_of(page)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken(page, link):
    """Return what is wrong with a relative link, or an empty text."""
    place, _, anchor = link.partition("#")
    target = (page.parent / place).resolve() if place else page
    if not target.exists():
        return f"{link}: not found"
    if not target.is_relative_to(ROOT):
        return f"{link}: outside of the project"
    if anchor and anchor not in anchors_of(target):
        return f"{link}: no such heading"
    return ""


COMMANDS = {
    f"{name_of(page)}: {flow} {arguments}": (flow, arguments)
    for page in PAGES
    for flow, arguments in commands_of(page)
}
WITH_SNIPPETS = [page for page in PAGES if snippets_of(page)]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A folder with photos, and the sample's features by a tiny backbone, as of `make demo`."""
    folder = tmp_path_factory.mktemp("docs")
    write_folder(folder / "photos")
    sample = write_sample(folder / "feature-store" / "sample")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(BACKBONES, "tiny", TINY)
        extract(sample, folder / "feature-store")
    return folder


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_flags_that_exist(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    flow, arguments = COMMANDS[command]
    app = make_app(flow_of(flow), str)
    app.parse_args(shlex.split(arguments), print_error=False, exit_on_error=False)


def test_there_are_commands_and_snippets():
    assert len(COMMANDS) > 30
    assert {name_of(page) for page in WITH_SNIPPETS} == {"README.md", "docs/python.md"}
    assert len(snippets_of(ROOT / "docs/python.md")) == 8


@pytest.mark.parametrize("page", WITH_SNIPPETS, ids=name_of)
def test_the_snippets_of_a_page_run_one_after_the_other(page, store, monkeypatch):
    monkeypatch.chdir(store)
    scope = {}
    for snippet in snippets_of(page):
        exec(snippet, scope)
    assert scope["X"].shape == (len(scope["train"].keys), 8)
    assert len(scope["X"]) == len(scope["y"])
    if "dataset" in scope:
        features, labels = next(iter(scope["dataset"]))
        assert features.shape[0] == labels.shape[0] == 32


@pytest.mark.parametrize("page", LINKING, ids=name_of)
def test_relative_links_lead_somewhere(page):
    links = _LINK.findall(_BLOCK.sub("", text_of(page)))
    relative = [link for link in links if not re.match(r"[a-z]+:", link)]
    assert [wrong for link in relative if (wrong := broken(page, link))] == []


def test_a_link_that_leads_nowhere_is_found():
    page = ROOT / "docs/README.md"
    assert broken(page, "images.md#splits") == broken(page, "#glossary") == ""
    assert broken(page, "image.md") == "image.md: not found"
    assert broken(page, "images.md#spilts") == "images.md#spilts: no such heading"


def test_the_readme_is_short():
    assert len(text_of(ROOT / "README.md").splitlines()) <= MOST_LINES


def test_the_index_links_to_each_guide():
    linked = set(_LINK.findall(text_of(ROOT / "docs/README.md")))
    assert {page.name for page in GUIDES} - {"README.md"} <= linked
