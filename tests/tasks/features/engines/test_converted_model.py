"""The record of a converted model: no damage to it leaves the model trusted."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from stores.storage.digests import json_digest
from tasks.features.agreement import agreement
from tasks.features.engines.converted_model import has_record, kept_agreement, write_record

IDENTITY = {"backbone": "mobilenet", "outputs": [["output", "avg"]]}
FIGURES = asdict(agreement(np.eye(16), (1 + 1e-6) * np.eye(16)))


def keep(folder):
    folder.mkdir()
    for name in ("model.xml", "model.bin"):
        (folder / name).write_text(name)
    write_record(folder, IDENTITY, FIGURES)
    return folder / "agreement.json"


def rewritten(path, **changes):
    """Change a record, and give it a right digest again."""
    about = {name: v for name, v in json.loads(path.read_text()).items() if name != "digest"}
    about |= changes
    path.write_text(json.dumps(about | {"digest": json_digest(about)}))


def test_what_is_whole_is_trusted(tmp_path):
    keep(tmp_path / "kept")
    assert kept_agreement(tmp_path / "kept", IDENTITY) == FIGURES
    assert has_record(tmp_path / "kept", IDENTITY)


def test_no_flipped_bit_of_the_record_is_trusted(tmp_path):
    content = keep(tmp_path / "kept").read_bytes()
    trusted = []
    for number in range(len(content)):
        changed = bytearray(content)
        changed[number] ^= 1 << number % 7
        folder = tmp_path / "kept"
        (folder / "agreement.json").write_bytes(changed)
        if has_record(folder, IDENTITY):
            trusted.append((number, bytes(changed)))
    # What stands between the values is no part of them: a blank may have become a tab.
    assert all(json.loads(changed) == json.loads(content) for _, changed in trusted)


@pytest.mark.parametrize(
    "changes",
    [
        {"sha256": {}},
        {"sha256": {"model.xml": "0" * 64}},
        {"sha256": []},
        {"sha256": None},
        {"agreement": {}},
        {"agreement": None},
        {"agreement": {"largest_differance": 0.0} | FIGURES},
        {"agreement": FIGURES | {"rows": "16"}},
        {"agreement": FIGURES | {"largest_difference": 1.0}},
        {"agreement": FIGURES | {"smallest_cosine": 0.5}},
        {"identity": {}},
        {"format": 1},
        {"format": "2"},
        {"more": 1},
    ],
)
def test_a_record_that_is_absurd_inside_is_not_trusted(tmp_path, caplog, changes):
    path = keep(tmp_path / "kept")
    rewritten(path, **changes)
    assert not has_record(path.parent, IDENTITY)
    assert kept_agreement(path.parent, IDENTITY) is None
    assert "it is converted again" in caplog.text
    assert not path.parent.exists()


def test_the_record_of_an_earlier_version_is_not_trusted(tmp_path):
    path = keep(tmp_path / "kept")
    about = json.loads(path.read_text())
    path.write_text(json.dumps({n: about[n] for n in ("identity", "agreement", "sha256")}))
    assert kept_agreement(path.parent, IDENTITY) is None
    assert not path.parent.exists()


def test_what_was_never_kept_is_said_to_nobody(tmp_path, caplog):
    assert kept_agreement(tmp_path / "none", IDENTITY) is None
    assert not caplog.records
