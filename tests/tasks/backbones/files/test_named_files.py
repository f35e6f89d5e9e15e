import pytest

from tasks.backbones.files.named_files import is_backbone_file, is_trainable


@pytest.mark.parametrize("name", ["a/b", "m.onnx", "./m", "m.xml", "resnet50.pt"])
def test_a_file_is_told_by_its_look(name):
    assert is_backbone_file(name)
    assert not is_backbone_file("resnet50_v2")


def test_a_folder_is_told_by_being_there_unless_a_backbone_has_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert not is_backbone_file("vit")
    for name in ("vit", "vgg16"):
        (tmp_path / name).mkdir()
    assert is_backbone_file("vit")
    assert is_backbone_file("./vgg16")
    assert not is_backbone_file("vgg16")


@pytest.mark.parametrize(
    ("name", "trainable"),
    [("vgg16", True), ("m.keras", True), ("m.onnx", False), ("m.xml", False), ("./preset", True)],
)
def test_what_keras_computes_can_be_trained(tmp_path, monkeypatch, name, trainable):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "preset").mkdir()
    assert is_trainable(name) == trainable
