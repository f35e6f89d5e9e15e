import hashlib
import pickle

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stores.keys import (
    ImageKey,
    as_arrow,
    as_keys,
    as_views,
    draws,
    from_arrow,
    identities,
    in_order,
    is_first,
    is_repeated,
)
from tests.support.samples import few, some_keys


@given(st.binary(max_size=100))
def test_an_image_key_is_the_sha256_of_the_content(content):
    key = ImageKey.of(content)
    assert bytes(key) == hashlib.sha256(content).digest()
    assert str(key) == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_an_image_key_has_32_bytes(length):
    with pytest.raises(ValueError, match=f"32 bytes. Received: {length} bytes"):
        ImageKey(bytes(length))


def test_an_image_key_survives_a_pickle():
    key = ImageKey.of(b"x")
    again = pickle.loads(pickle.dumps(key))
    assert again == key
    assert str(again) == str(key)


def test_keys_are_given_as_an_array_or_one_by_one():
    array = some_keys(5)
    assert np.array_equal(as_keys(row.tobytes() for row in array), array)
    assert np.array_equal(as_keys(array), array)
    assert np.array_equal(as_keys(array[::-1]), array[::-1])
    assert as_keys([]).shape == (0, 32)


@pytest.mark.parametrize(
    "keys",
    [
        np.zeros((3, 31), np.uint8),
        np.zeros((3, 32), np.int8),
        np.zeros(32, np.uint8),
        np.zeros((1, 3, 32), np.uint8),
        [bytes(32), bytes(31)],
    ],
)
def test_what_is_no_key_is_refused(keys):
    with pytest.raises(ValueError, match="32"):
        as_keys(keys)


def test_one_view_stands_for_all():
    assert as_views(7, 3).tolist() == [7, 7, 7]
    assert as_views(np.array([0, 65535]), 2).tolist() == [0, 65535]
    assert as_views([], 0).tolist() == []


@pytest.mark.parametrize(
    "views", [-1, 65536, [0, 1], [[0, 1, 2]], [0, 1, -1], 2**70, 0.5, [0.0, 1.0, 1.5], "1", None]
)
def test_what_is_no_view_is_refused(views):
    with pytest.raises(ValueError, match="view"):
        as_views(views, 3)


@given(st.integers(0, 5).flatmap(lambda n: hnp.arrays(np.uint16, n)))
def test_an_identity_is_the_key_and_the_little_endian_view(views):
    keys = some_keys(len(views))
    ids = identities(keys, views)
    expected = [
        k.tobytes() + int(v).to_bytes(2, "little") for k, v in zip(keys, views, strict=True)
    ]
    assert [row.tobytes() for row in ids] == expected


@few
@given(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9))
def test_keys_survive_arrow_whole_sliced_or_in_chunks(count, start, cut):
    keys = some_keys(count)
    array = as_arrow(keys)
    assert np.array_equal(from_arrow(array[start:]), keys[start:])
    chunks = pa.chunked_array([array[:cut], array[cut:]], pa.binary(32))
    assert np.array_equal(from_arrow(chunks), keys)


# Many share their first eight bytes, and some are there again.
ALIKE = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), max_size=30)


def alike(pairs):
    return as_keys(bytes([a]) * 8 + bytes(23) + bytes([b]) for a, b in pairs)


@few
@given(ALIKE)
def test_keys_are_sorted_by_all_their_bytes_and_copies_stay_in_order(pairs):
    expected = sorted(range(len(pairs)), key=lambda n: pairs[n])
    assert in_order(alike(pairs)).tolist() == expected


@few
@given(ALIKE)
def test_copies_are_found_by_all_their_bytes(pairs):
    keys = alike(pairs)
    assert is_repeated(keys).tolist() == [pairs.count(pair) > 1 for pair in pairs]
    assert is_first(keys).tolist() == [pair not in pairs[:n] for n, pair in enumerate(pairs)]


def test_a_draw_is_the_sha256_of_a_mark_and_the_key(monkeypatch):
    monkeypatch.setattr("stores.keys._DRAWN_AT_ONCE", 2)
    keys = some_keys(5)
    plain = [hashlib.sha256(b"fold:" + key.tobytes()).digest() for key in keys]
    spelled = [hashlib.sha256(b"0:" + key.tobytes().hex().encode()).digest() for key in keys]
    assert np.array_equal(draws(b"fold:", keys), as_keys(plain))
    assert np.array_equal(draws(b"0:", keys, in_hexadecimal=True), as_keys(spelled))
    assert draws(b"", keys[:0]).shape == (0, 32)
