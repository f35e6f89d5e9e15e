"""`review`: what it returns, and the whole way in a real browser to a head of mended labels."""

from pathlib import Path
from queue import Queue
from threading import Thread

import pytest

import gargalo
from flows.text.review import review_text
from tasks.backbones.registry import BACKBONES
from tasks.datasets.ingest import ingest
from tasks.errors import InputError
from tasks.review.choice import best_run, session_of
from tasks.review.page import server
from tests.support.browser import opened_page, until
from tests.support.tiny import TINY

DRAWN = "document.querySelector('#plot canvas') && !document.getElementById('said').textContent"


@pytest.fixture
def decided(photos, tmp_path, monkeypatch):
    """Review the photos, where a page would decide so."""

    def decided(*decisions, **parameters):
        def serve(session, *, port, ready):
            ready("http://127.0.0.1/token/")
            for asked, numbers, value in decisions:
                session.decide(asked, numbers, value, reviewer="me", confirmed=True)

        monkeypatch.setattr(server, "serve", serve)
        return gargalo.review("photos", store=tmp_path / "store", no_browser=True, **parameters)

    return decided


def test_it_says_what_was_decided_and_what_uses_it(photos, tmp_path, decided, capsys):
    ingest(photos, store=tmp_path / "store")
    found = decided(("label", [0], "reddish"), ("label", [1], "green"), ("exclude", [2], ""))
    assert (found.decisions, found.relabelled, found.excluded, found.right) == (3, 2, 1, 0)
    assert found.new_classes == ("green",)
    assert "http://127.0.0.1/token/" in capsys.readouterr().out
    store = f"--store {tmp_path / 'store'}"
    assert f"next python -m flows.pipeline {photos} {store}" in review_text(found)
    assert "new classes: green" in review_text(found)
    again = decided(("right", [3], ""))
    assert (again.decisions, again.right) == (1, 1)


@pytest.mark.parametrize("run", [None, "0123"])
def test_what_is_neither_a_data_set_nor_a_run_is_one_line(photos, tmp_path, run):
    ingest(photos, store=tmp_path / "store")
    with pytest.raises(
        (InputError, gargalo.StoreError), match=r"did you mean photos|no run '0123'"
    ):
        gargalo.review("photos" if run else "photo", store=tmp_path / "store", run=run)


def test_the_best_run_of_the_same_images_and_labels_judges(pets_manifest):
    rows = [
        ("old", "other", 0.99, "1"),
        ("good", pets_manifest.digest, 0.9, "2"),
        ("bad", pets_manifest.digest, 0.8, "3"),
        ("failed", pets_manifest.digest, None, "4"),
    ]
    names = ("run", "dataset_digest", "validation_accuracy", "created")
    table = [{"dataset": "photos", **dict(zip(names, row, strict=True))} for row in rows]
    assert best_run(table, pets_manifest) == "good"
    assert best_run(table[:1], pets_manifest) == "old"
    assert best_run([], pets_manifest) is None


@pytest.fixture
def pets_manifest(photos, tmp_path):
    return ingest(photos, store=tmp_path / "store").manifest


@pytest.mark.server
def test_labels_mended_in_a_browser_are_learned_by_the_next_pipeline(photos, tmp_path, monkeypatch):
    monkeypatch.setitem(BACKBONES, "tiny", TINY)
    wrong = [Path("reddish") / f"blue {n}.png" for n in range(2)]
    for n, path in enumerate(wrong):
        (photos / "bluish" / f"{n}.png").rename(photos / path)
    settings = {"backbone": "tiny", "weights": "none", "head": "ridge", "folds": 3}
    settings |= {"store": tmp_path / "store", "test_split": 0.0}
    before = gargalo.pipeline(photos, **settings)
    addresses: Queue[str] = Queue()
    session = session_of("photos", [], store=tmp_path / "store")
    served = Thread(
        target=server.serve,
        args=(session,),
        kwargs={"port": 0, "ready": addresses.put},
        daemon=True,  # it outlives a test that fails
    )
    with opened_page() as page:
        served.start()
        page.goto(addresses.get(timeout=60))
        page.click("#confusion td.wrong")  # labelled reddish, predicted bluish
        until(page, "document.getElementById('shown').textContent.startsWith('2 of 30')")
        for _ in wrong:
            page.keyboard.press("1")
            until(page, "document.getElementById('said').textContent.startsWith('label bluish')")
        until(page, "document.querySelectorAll('.tile.decided:not([hidden])').length === 2")
        page.keyboard.press("u")
        until(page, "document.querySelectorAll('.tile.decided:not([hidden])').length === 1")
        page.click("#clear")
        page.keyboard.press("m")
        until(page, DRAWN)
        box = page.locator("#plot .nsewdrag").bounding_box()
        corners = [(0.01, 0.01), (0.99, 0.01), (0.99, 0.99), (0.01, 0.99), (0.01, 0.01)]
        for n, (x, y) in enumerate(corners):
            page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=5)
            if not n:
                page.mouse.down()
        page.mouse.up()
        until(page, "document.getElementById('shown').textContent.includes('selected on the map')")
        assert page.inner_text("#shown").startswith("30 of 30")
        page.click("#close")
        until(page, "document.getElementById('said').textContent.startsWith('closed')")
        served.join(30)
        assert not served.is_alive()
    after = gargalo.pipeline(photos, **settings)
    (mended,) = after.ingest.corrections
    assert (mended.path, mended.label) == (str(wrong[0]), "bluish")
    assert (after.ingest.read, after.extract.computed, after.extract.cached) == (0, 0, 30)
    assert after.train.run != before.train.run
    assert not after.train.cached
