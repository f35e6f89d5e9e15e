import hashlib
import pickle

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stores.keys import ImageKey, as_arrow, as_keys, as_views, from_arrow, identities
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
