import pytest

from stores.layout import locate
from stores.storage.remembered import recall, remember
from tests.support.samples import in_child

QUESTION = {"what": "weights", "backbone": "vgg16"}


def remembered(root):
    (path,) = (root / "remembered").glob("*.json")
    return path


def test_an_answer_is_remembered_by_its_question(tmp_path):
    remember(locate(tmp_path), QUESTION, "one")
    remember(locate(tmp_path), QUESTION | {"backbone": "vgg19"}, "other")
    assert recall(locate(tmp_path), dict(reversed(QUESTION.items()))) == "one"
    assert recall(locate(tmp_path), QUESTION | {"backbone": "vgg19"}) == "other"
    assert recall(locate(tmp_path), QUESTION | {"backbone": "resnet"}) is None


def test_a_newer_answer_replaces_the_old_one(tmp_path):
    remember(locate(tmp_path), QUESTION, "old")
    remember(locate(tmp_path), QUESTION, "new")
    assert recall(locate(tmp_path), QUESTION) == "new"


def test_recalling_creates_nothing(tmp_path):
    assert recall(locate(tmp_path / "store"), QUESTION) is None
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("bit", [1, 5])
def test_a_damaged_answer_is_none(tmp_path, bit):
    remember(locate(tmp_path), QUESTION, "values-sha256:0123456789abcdef")
    path = remembered(tmp_path)
    content = path.read_bytes()
    for offset in range(len(content)):
        path.write_bytes(
            content[:offset] + bytes([content[offset] ^ 1 << bit]) + content[offset + 1 :]
        )
        assert recall(locate(tmp_path), QUESTION) in {None, "values-sha256:0123456789abcdef"}


@pytest.mark.parametrize("text", ["", "[]", "null", "{}", '{"answer": "x"}'])
def test_what_is_no_answer_is_none(tmp_path, text):
    remember(locate(tmp_path), QUESTION, "x")
    remembered(tmp_path).write_text(text)
    assert recall(locate(tmp_path), QUESTION) is None


def test_in_a_read_only_store_nothing_is_remembered_and_nothing_fails(public, sealed):
    remember(locate(public), QUESTION, "old")
    sealed(public)
    in_child(lambda: remember(locate(public), QUESTION, "new"), nobody=True)
    assert recall(locate(public), QUESTION) == "old"
