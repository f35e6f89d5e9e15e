"""The embedded sample is scikit-learn's digits, written once, whole or not at all."""

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from tasks.datasets.digits_sample import write_sample
from tests.support.samples import snapshot


def test_the_sample_is_the_digits_of_scikit_learn(tmp_path):
    folder = write_sample(tmp_path)
    digits = load_digits()
    files = sorted(folder.rglob("*.png"), key=lambda path: path.name)
    assert [path.name for path in files] == [f"{number:04}.png" for number in range(1797)]
    assert [int(path.parent.name) for path in files] == digits.target.tolist()
    pictures = np.stack([np.asarray(Image.open(path)) for path in files])
    np.testing.assert_array_equal(np.round(pictures / 255 * 16), digits.images)
    assert (pictures.min(), pictures.max()) == (0, 255)


def test_the_sample_is_written_once(tmp_path):
    folder = write_sample(tmp_path)
    before = snapshot(tmp_path)
    assert write_sample(tmp_path) == folder
    assert snapshot(tmp_path) == before
    assert {path.name for path in tmp_path.iterdir()} == {"digits", "tmp"}


def test_half_a_sample_is_no_sample(tmp_path, monkeypatch):
    def save(_, path):
        if path.name == "0900.png":
            raise OSError("no space left")
        path.touch()

    with monkeypatch.context() as patch:
        patch.setattr(Image.Image, "save", save)
        with pytest.raises(OSError, match="no space left"):
            write_sample(tmp_path)
    assert not (tmp_path / "digits").exists()
    assert len(list(write_sample(tmp_path).rglob("*.png"))) == 1797
