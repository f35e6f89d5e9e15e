"""The kind: a head in a zip file of a few bytes that unpacks to gigabytes."""

import numpy as np
import pytest

from tasks.heads.archives import check_stored


def test_what_is_to_be_stored_plainly_is(tmp_path):
    np.savez(tmp_path / "a.npz", a=np.zeros(10**6))
    check_stored(tmp_path / "a.npz")
    np.savez_compressed(tmp_path / "b.npz", a=np.zeros(10**6))
    with pytest.raises(ValueError, match="a compressed part"):
        check_stored(tmp_path / "b.npz")
    content = (tmp_path / "a.npz").read_bytes()
    place = content.index(b"PK\x01\x02")
    (tmp_path / "c.npz").write_bytes(twice(content, place))
    with pytest.raises(ValueError, match=r"c.npz declares 16,000,\d+ bytes, but has 8,000,\d+"):
        check_stored(tmp_path / "c.npz")


def twice(content, place):
    """Return a zip file whose directory names its only part twice."""
    end = content.index(b"PK\x05\x06")
    entry, tail = content[place:end], bytearray(content[end:])
    tail[8:12] = b"\x02\0\x02\0"
    tail[12:16] = (2 * len(entry)).to_bytes(4, "little")
    return content[:place] + 2 * entry + bytes(tail)
