"""A bar in the output of a notebook; IPython is no dependency, so that here is a stand-in."""

import sys
from types import SimpleNamespace

import pytest

from flows.cli import notebook_bar as module
from flows.cli.notebook_bar import in_notebook, notebook_bar
from flows.cli.progress import announce, shown_by
from tasks.execution.progress import advance


@pytest.fixture
def pages(monkeypatch):
    """What a notebook shows, one list a display: each update replaces what was there."""
    shown = []

    def display(page, *, display_id):
        assert display_id
        shown.append([page])
        return SimpleNamespace(update=shown[-1].append)

    ipython = SimpleNamespace(get_ipython=lambda: SimpleNamespace(kernel=object()))
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(HTML=str, display=display))
    monkeypatch.setattr(module, "SECONDS_BETWEEN", 0)
    return shown


def test_a_bar_is_updated_in_its_place(pages):
    assert in_notebook()
    with shown_by(notebook_bar):
        announce(20)
        advance(5)
        advance(15)
        announce(0)  # nothing to do is no bar
        announce(3, doing="training", noun="<heads>")
    assert len(pages) == 2
    first, *_, last = pages[0]
    assert "value='0' max='20'></progress> 0 of 20 images<" in first
    assert "value='20' max='20'></progress> 20 of 20 images, " in last
    assert "0 of 3 &lt;heads&gt;" in pages[1][0]


def test_elsewhere_there_is_no_notebook(monkeypatch):
    monkeypatch.setitem(sys.modules, "IPython", None)
    assert not in_notebook()
    shell = SimpleNamespace(get_ipython=object)  # IPython on a terminal
    monkeypatch.setitem(sys.modules, "IPython", shell)
    assert not in_notebook()
