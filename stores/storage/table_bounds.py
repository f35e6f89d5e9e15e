"""How much a Parquet file may become in memory, looked at before and while it is read.

A file of some kB can announce billions of rows that are all alike, or one long text for each of
them. What this software writes has a key, a path or a number of its own in each row, and comes to
some times its size on the disk. The digest in a file does not tell: whoever made it stamped it.
"""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stores.storage.repeated_values import RepeatedValues
from stores.storage.sizes import most_in_memory

# Of a file's own size: the emptiest manifest that an honest folder gives comes to twelve times.
_RATIO = 16
_SMALL = 2**27  # bytes, and
_FEW = 2**16  # rows that any file may have
_ROW_BYTES = 4  # of a file at least; the emptiest manifest has 13 a row
_MOST_CHUNKS = 2**17  # columns × row groups
_MOST_TEXT = 2**20  # bytes of one cell
_WIDTHS = {"BOOLEAN": 1, "INT32": 4, "INT64": 8, "INT96": 12, "FLOAT": 4, "DOUBLE": 8}
_TEXT = "BYTE_ARRAY"
_INDEX = 4  # bytes: a text is read as a number in a dictionary
_KNOWN = {"SNAPPY", "UNCOMPRESSED"}  # no more than 22 times; others come to thousands
_ENCODINGS = {"PLAIN", "RLE", "RLE_DICTIONARY", "PLAIN_DICTIONARY", "BIT_PACKED"}


def most_of(size: int) -> int:
    """Return how many bytes a file of some size may become in memory."""
    return max(_SMALL, _RATIO * size)


def read_within_bounds(
    content: bytes, metadata: pq.FileMetaData, *, columns: list[str] | None, in_a_list: int
) -> pa.Table:
    """Return the table of a file, of some columns where they are named; it is valid.

    `in_a_list` is how many values a row may have in a column of lists. Raises ValueError where the
    table is more than such a file holds.
    """
    most = most_of(len(content))
    _check_announced(metadata, len(content), columns, in_a_list)
    leaves = _text_columns(metadata)
    names = metadata.schema.to_arrow_schema().names
    names = [name for name in names if columns is None or name in columns]
    texts = [name for name in names if name in {leaf.partition(".")[0] for leaf in leaves}]
    others = [name for name in names if name not in texts]

    def opened() -> pq.ParquetFile:
        source = pa.BufferReader(content)
        return pq.ParquetFile(source, metadata=metadata, read_dictionary=leaves)

    # What numbers and keys take is announced: they can be read while the texts are measured.
    with opened() as file, opened() as beside, ThreadPoolExecutor(2) as pool:
        reading = pool.submit(beside.read, columns=others, use_threads=False)
        found = _texts(file, texts, most, pool) if texts else pa.table({})
        numbers = reading.result()
    numbers.validate(full=True)
    return pa.table({n: (found if n in texts else numbers)[n] for n in names})


def _texts(file: pq.ParquetFile, names: list[str], most: int, pool: ThreadPoolExecutor) -> pa.Table:
    """Return columns of texts; raises ValueError where they come to more than `most` bytes.

    They are read as dictionaries, in which no text is there twice, and measured before they become
    plain texts: some rows at a time, whose memory then serves for the next.
    """
    parts, total, repeated = list[pa.Table](), 0, RepeatedValues()
    groups = deque([[n] for n in range(file.num_row_groups)] or [[]])

    def read() -> Future[pa.Table]:
        return pool.submit(file.read_row_groups, groups.popleft(), columns=names, use_threads=False)

    coming = [read()]
    while coming:
        part = coming.pop().result()
        coming = [read()] if groups else []  # while this one is measured
        for name in names:
            for lengths in _text_lengths(part[name]):
                total += pc.sum(lengths).as_py() or 0
                if (pc.max(lengths).as_py() or 0) > _MOST_TEXT or total > most:
                    raise ValueError(
                        f"column {name} has texts of more bytes than such a file holds"
                    )
        parts.append(_shared(part, repeated))
    return pa.concat_tables(parts)


def _text_columns(metadata: pq.FileMetaData) -> list[str]:
    """Return the columns of texts or bytes: read as dictionaries, no text is there twice."""
    columns = [metadata.schema.column(number) for number in range(metadata.num_columns)]
    return [column.path for column in columns if column.physical_type == _TEXT]


def _check_announced(
    metadata: pq.FileMetaData, size: int, columns: list[str] | None, in_a_list: int
) -> None:
    rows, most = metadata.num_rows, most_of(size)
    if not 0 <= rows <= max(_FEW, size // _ROW_BYTES):
        raise ValueError(f"{rows} rows are announced, more than {size} bytes hold")
    if metadata.num_row_groups * metadata.num_columns > _MOST_CHUNKS:
        raise ValueError(f"{metadata.num_row_groups} groups of {metadata.num_columns} columns")
    flat = nested = packed = 0
    for number in range(metadata.num_columns):
        column = metadata.schema.column(number)
        if columns is not None and column.path.partition(".")[0] not in columns:
            continue
        width = _WIDTHS.get(column.physical_type) or max(_INDEX, column.length)
        values = 0
        for group in range(metadata.num_row_groups):
            chunk = metadata.row_group(group).column(number)
            if chunk.compression not in _KNOWN or not set(chunk.encodings) <= _ENCODINGS:
                raise ValueError(f"column {column.path}: {chunk.compression} {chunk.encodings}")
            values += chunk.num_values
            packed += chunk.total_uncompressed_size
        if column.max_repetition_level == 0:
            flat += values * width
        else:
            nested += values * width
            # An empty list counts as a value.
            if values > rows * max(in_a_list, 1):
                raise ValueError(f"column {column.path}: {values} values in {rows} rows")
    if max(flat, packed) > most or nested > max(most, most_in_memory()):
        raise ValueError(
            f"{max(flat + nested, packed)} bytes are announced, more than {size} bytes hold"
        )


def _text_lengths(column: pa.ChunkedArray) -> Iterator[pa.Array]:
    """Yield the lengths in bytes of all texts of a column, as they are in its rows."""
    for chunk in column.chunks:
        values = chunk.flatten() if pa.types.is_list(chunk.type) else chunk
        if pa.types.is_dictionary(values.type):
            lengths = pc.binary_length(values.dictionary).cast(pa.int64())
            yield lengths.take(values.indices)


def _shared(table: pa.Table, repeated: RepeatedValues) -> pa.Table:
    """Return plain texts from dictionaries, valid; where all rows have one, it is shared."""
    columns = dict[str, pa.ChunkedArray]()
    for name in table.column_names:
        chunks = table[name].chunks
        alike = repeated.of(chunks[0]) if len(chunks) == 1 else None
        if alike is None:
            columns[name] = _plain(table.select([name]))[name]
        else:
            columns[name] = pa.chunked_array([alike])
        columns[name].validate(full=True)
    return pa.table(columns)


def _plain(table: pa.Table) -> pa.Table:
    types = [_plain_type(field.type) for field in table.schema]
    fields = [field.with_type(kind) for field, kind in zip(table.schema, types, strict=True)]
    return table.cast(pa.schema(fields, table.schema.metadata))


def _plain_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(kind):
        return kind.value_type
    if pa.types.is_list(kind):
        return pa.list_(kind.value_field.with_type(_plain_type(kind.value_type)))
    return kind
