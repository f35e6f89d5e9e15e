import numpy as np
import xxhash
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stores.features.row_checksums import identity_words, row_checksums, shard_checksum
from stores.keys import identities
from tests.support.samples import FLOAT16, RECIPE, some_keys, some_rows

_rows = hnp.arrays(
    st.sampled_from([np.dtype("<f4"), np.dtype("<f2")]),
    hnp.array_shapes(min_dims=2, max_dims=4, max_side=4),
    elements=st.floats(-4, 4, width=16),
)


def words_of(keys, views, recipe=RECIPE):
    return identity_words(recipe.fingerprint, identities(keys, np.asarray(views, np.uint16)))


@given(_rows, st.data())
def test_a_checksum_is_as_the_format_says(rows, data):
    views = data.draw(hnp.arrays(np.uint16, len(rows)))
    keys = some_keys(len(rows))
    expected = [
        xxhash.xxh3_64_intdigest(row.tobytes())
        ^ int.from_bytes(bytes.fromhex(RECIPE.fingerprint)[:8], "little")
        ^ int.from_bytes(key.tobytes()[:8], "little")
        ^ int(view)
        for key, view, row in zip(keys, views, rows, strict=True)
    ]
    assert row_checksums(words_of(keys, views), rows).tolist() == expected


@given(st.integers(1, 5), st.data())
def test_checksums_cover_recipe_key_view_and_bytes(count, data):
    keys, rows, views = some_keys(count), some_rows(count), np.arange(count)
    number = data.draw(st.integers(0, count - 1))
    others = {
        "key": (np.concatenate([keys[:number], some_keys(1, 9), keys[number + 1 :]]), views, rows),
        "view": (keys, np.where(views == number, 7, views), rows),
        "bytes": (keys, views, np.where(np.arange(count)[:, None] == number, rows + 1, rows)),
    }
    sums = row_checksums(words_of(keys, views), rows)
    whole = shard_checksum(words_of(keys, views), rows)
    for other_keys, other_views, other_rows in others.values():
        words = words_of(other_keys, other_views)
        changed = row_checksums(words, other_rows) != sums
        assert np.flatnonzero(changed).tolist() == [number]
        assert shard_checksum(words, other_rows) != whole
    of_another_recipe = words_of(keys, views, FLOAT16)
    assert (row_checksums(of_another_recipe, rows) != sums).all()
    assert shard_checksum(of_another_recipe, rows) != whole


def test_no_rows_have_no_checksums():
    assert row_checksums(words_of(some_keys(0), []), some_rows(0)).tolist() == []
