import pytest

from tasks.backbones.files.named_files import is_backbone_file


@pytest.mark.parametrize("name", ["a/b", "m.onnx", "./m", "m.xml", "resnet50.pt"])
def test_a_file_is_told_by_its_look(name):
    assert is_backbone_file(name)
    assert not is_backbone_file("resnet50_v2")
