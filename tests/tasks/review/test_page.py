"""The page's requests: nobody else is answered, decisions are kept before the answer, news come."""

import json

import pytest
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient, WebSocketDenialResponse

from stores.decisions.decided import decided_in
from tasks.errors import InputError
from tasks.review.page.app import Page
from tasks.review.page.guard import Guard, new_token
from tasks.review.page.server import bound
from tasks.review.pictures import MOST_BYTES, Pictures, as_picture
from tasks.review.session import Session

HOST, TOKEN = "127.0.0.1:8080", new_token()
ME, YOU = {"reviewer": "me"}, {"reviewer": "you"}


@pytest.fixture
def ended():
    return []


@pytest.fixture
def client(session, ended):
    app = Guard(Page(session, end=lambda: ended.append(True)).app(), TOKEN, [HOST])
    return TestClient(app, base_url=f"http://{HOST}/{TOKEN}/")


def ask(client, name, **body):
    answer = client.post(name, content=json.dumps(body))
    return answer.json() | ({} if answer.status_code == 200 else {"status": answer.status_code})


def patiently(client, name, **body):
    """Ask until it is done, as the page does."""
    while (answer := ask(client, name, **body)).get("working"):
        pass
    return answer


OTHERS = [
    ("/", HOST),
    (f"/{TOKEN}", HOST),
    (f"/{TOKEN[:-1]}/", HOST),
    (f"/{TOKEN}x/", HOST),
    (f"/x/{TOKEN}/", HOST),
    (f"//{TOKEN}/", HOST),
    (f"/{TOKEN}/", "evil.example:8080"),
    (f"/{TOKEN}/", "127.0.0.1:8081"),
    (f"/{TOKEN}/", ""),
]


def test_whoever_lacks_the_token_or_comes_by_another_name_finds_nothing():
    inside = Guard(PlainTextResponse("inside"), TOKEN, [HOST])
    client = TestClient(inside, base_url=f"http://{HOST}")
    assert client.get(f"/{TOKEN}/").text == client.get(f"/{TOKEN}/any/where").text == "inside"
    for path, host in OTHERS:
        answer = client.get(f"http://{HOST}{path}", headers={"host": host})
        assert (answer.status_code, answer.text) == (404, "not found"), (path, host)
    with pytest.raises(WebSocketDenialResponse), client.websocket_connect(f"/{TOKEN}/"):
        pass


def test_the_page_and_its_files_are_there_and_may_load_nothing_from_elsewhere(client):
    page = client.get("")
    assert "review.js" in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert page.headers["referrer-policy"] == "no-referrer"
    for name in ("review.js", "grid.js", "map.js", "review.css"):
        assert client.get(name).status_code == 200
        assert "http" not in client.get(name).text.replace("http://www.w3.org", "")


def test_a_decision_is_in_the_store_before_it_is_answered_and_others_hear_of_it(
    client, session, pets_store, pets
):
    other = Session(pets_store, pets, ())
    seen = other.news(0).entries
    kept = ask(client, "decide", action="label", images=[0, 1], value="dogs", **ME)
    assert kept == {"changed": [0, 1], "entries": 1}
    assert set(decided_in(pets_store, "pets").labels.values()) == {"dogs"}
    assert other.news(seen).changed == (0, 1)
    other.decide("exclude", [1], "", reviewer="you", confirmed=False)
    assert ask(client, "news", seen=1) == {"changed": [1], "entries": 2}
    tile = ask(client, "tiles", images=[0, 1])["tiles"]
    assert [(one["label"], one["given"], one["decision"]) for one in tile] == [
        ("dogs", "cats", "new label"),
        ("cats", "cats", "excluded"),
    ]
    assert ask(client, "undo", **ME) == {"changed": [0, 1], "entries": 3}
    assert list(decided_in(pets_store, "pets").labels.values()) == [None, ""]
    assert client.get("corrections.csv").text.splitlines()[1:] == ["cats/1,cats,true"]


def test_what_is_found_and_what_is_wrong_is_said(client, ended):
    about = ask(client, "about")
    assert (about["images"], [one["name"] for one in about["classes"]]) == (20, ["cats", "dogs"])
    cell = ask(client, "find", chosen={"label": ["cats"], "predicted": ["dogs"]})
    assert cell == {"order": [7], "confusion": [[1, 1], [0, 2]]}
    assert (
        "no class yet"
        in ask(client, "decide", action="label", images=[0], value="cow", **ME)["question"]
    )
    assert "nothing to undo" in ask(client, "undo", **YOU)["error"]
    assert ask(client, "decide", action="delete", images=[0], **ME)["status"] == 422
    assert ask(client, "decide", action="right", images=[20], **ME)["status"] == 409
    assert ask(client, "find", chosen={"size": ["1"]})["status"] == 409
    assert len(patiently(client, "similar", image=3)["order"]) == 20
    assert len(patiently(client, "map", method="PCA")["x"]) == 20
    assert "20 images are too few" in patiently(client, "near")["untold"]
    columns = [one["name"] for one in patiently(client, "novelty")["columns"]]
    assert "novelty" in columns
    assert ended == []
    ask(client, "close")
    assert ended == [True]


def test_a_file_that_is_gone_is_shown_as_that_and_pictures_are_kept_within_bounds(client, images):
    for path in ("picture/999", "picture/cats/0", "picture/-1", "static/review.js"):
        assert client.get(path).status_code == 404
    picture = client.get("picture/0")
    assert (picture.headers["content-type"], "file not found" in picture.text) == (
        "image/svg+xml",
        True,
    )
    pictures = Pictures(images, most=1000)
    for n in range(20):
        pictures.of(n)
    assert 0 < sum(len(one.content) for one in pictures._kept.values()) <= 1000 < MOST_BYTES
    with pytest.raises(ValueError, match="no image"):
        as_picture("data:text/html;base64,AAAA")


def test_a_port_that_is_taken_is_one_line():
    with bound(0) as taken:
        port = taken.getsockname()[1]
        taken.listen()
        with pytest.raises(InputError, match=f"--port {port}: cannot be used"):
            bound(port)
