import pyarrow as pa
import pytest

from stores.storage.repeated_values import RepeatedValues, nulls, slices

COUNT = 2**16


@pytest.mark.parametrize(
    "values",
    [
        pa.array(["x"] * 3),
        pa.array([""] * 3).dictionary_encode(),
        pa.nulls(3, pa.string()),
        pa.nulls(3, pa.string()).dictionary_encode(),
        pa.array([7] * 3),
    ],
)
def test_values_that_are_all_one_are_made_once(values):
    repeated = RepeatedValues()
    found = repeated.of(values)
    assert found.to_pylist() == values.to_pylist()
    assert found is repeated.of(values)
    assert not pa.types.is_dictionary(found.type)


@pytest.mark.parametrize(
    "values", [["x", "y"], ["x", None], [None, "x"], [["x"], ["x"]], pa.array([], pa.string())]
)
def test_others_are_left_as_they_are(values):
    assert RepeatedValues().of(pa.array(values)) is None
    if len(values) and isinstance(values[0], str):
        assert RepeatedValues().of(pa.array(values).dictionary_encode()) is None


def test_a_column_whose_parts_have_one_value_takes_less_memory():
    column = pa.chunked_array([["a"] * COUNT, ["b", "c"] * 5, ["a"] * COUNT, [None] * 3])
    found = RepeatedValues().shared(column)
    assert found.equals(column)
    assert found.get_total_buffer_size() < column.get_total_buffer_size() * 2 / 3


@pytest.mark.parametrize("count", [0, 1, COUNT, 3 * COUNT + 5])
def test_nulls_take_the_memory_of_some_of_them(count):
    found = nulls(count, pa.int64())
    assert (len(found), found.null_count, found.type) == (count, count, pa.int64())
    assert found.get_total_buffer_size() <= 9 * COUNT


def test_slices_are_all_rows_of_each_table():
    one = pa.table({"x": range(2 * COUNT + 3)})
    other = pa.table({"y": range(2 * COUNT + 3)})
    parts = list(slices(one, other))
    assert len(parts) == 3
    assert pa.concat_tables(part for part, _ in parts).equals(one)
    assert pa.concat_tables(part for _, part in parts).equals(other)
    assert not list(slices(one.slice(0, 0)))
