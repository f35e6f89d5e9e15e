import pyarrow as pa
import pytest

from stores.storage.repeated_values import RepeatedValues, compacted

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


def test_a_compacted_table_has_the_same_rows_and_takes_less_memory():
    count = 3 * COUNT + 5
    status = pa.chunked_array([["a"] * (2 * COUNT + 7), ["b"] * (count - 2 * COUNT - 7)])
    numbers = pa.chunked_array([range(7), range(7, count)])
    table = pa.table({"number": numbers, "status": status, "time": pa.nulls(count, pa.int64())})
    found = compacted(table, ["status", "time"])
    assert found.equals(table)
    assert found.get_total_buffer_size() < table.get_total_buffer_size() * 2 / 3
    assert compacted(table.slice(0, 0), ["status"]).equals(table.slice(0, 0))
