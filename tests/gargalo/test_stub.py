from gargalo.stub import STUB, stub


def test_the_stub_is_that_of_the_functions_and_classes_there_are():
    assert STUB.read_text(encoding="utf-8") == stub(), "run python -m gargalo.stub"
