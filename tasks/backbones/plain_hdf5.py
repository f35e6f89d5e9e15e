"""A check of untrusted HDF5 files, before an array is read: only what Keras writes is accepted.

Keras writes plain arrays without filters, and short attributes. Other files are refused, because a
small file can declare gigabytes, and a compressed chunk can unpack to any size, whatever its array
declares.
"""

import math
from collections.abc import Iterator
from mmap import mmap

import h5py

_MOST_OBJECTS = 100_000  # groups and arrays; Keras's largest model has some thousands
_MOST_VALUES = 100_000  # of an attribute: names of layers, up to 64 kB
_PLAIN_TYPES = {h5py.h5t.INTEGER, h5py.h5t.FLOAT, h5py.h5t.ENUM}
# Strings of variable length are in heaps (HDF5 file format, III.E), and referred to by the heap's
# address and an index.
_HEAP = b"GCOL\1\0\0\0"
_MOST_TEXT = 2**28  # total bytes of an attribute's strings
_MOST_LONG = 20  # long strings in a file


class NotPlain(ValueError):
    """A file has something that Keras never writes; the message has the fix."""


def plain_arrays(file: h5py.File, content: bytes | mmap) -> list[h5py.Dataset]:
    """Return the arrays of a file with this content, without reading them; raises NotPlain."""
    link = file.visititems_links(lambda name, a: None if isinstance(a, h5py.HardLink) else name)
    if link is not None:
        raise NotPlain(f"{link!r} is a link; save the model again, in one file")
    items = [file, *_objects(file)]
    _check_texts(file, content, max(map(_most_texts, items)))
    arrays = [item for item in items if isinstance(item, h5py.Dataset)]
    for array in arrays:
        _check_array(array)
    return arrays


def arrays_of(file: h5py.File) -> list[h5py.Dataset]:
    """Return the arrays of a file, without a check."""
    return [item for item in _objects(file) if isinstance(item, h5py.Dataset)]


def announced_bytes(array: h5py.Dataset) -> int:
    """Return the memory for reading an array: at least a whole chunk of a chunked one."""
    values = max(math.prod(array.shape), math.prod(array.chunks or ()))
    return int(values * array.dtype.itemsize)


def _objects(file: h5py.File) -> list[h5py.Group | h5py.Dataset]:
    found: list[h5py.Group | h5py.Dataset] = []

    def visit(_: str, item: h5py.Group | h5py.Dataset) -> bool | None:
        found.append(item)
        return True if len(found) > _MOST_OBJECTS else None

    if file.visititems(visit):
        raise NotPlain(f"more than {_MOST_OBJECTS:,} groups and arrays; save the weights again")
    return found


def _check_array(array: h5py.Dataset) -> None:
    if array.dtype.kind not in "fiub" or array.shape is None or array.is_virtual or array.external:
        raise NotPlain(f"{array.name!r} is not an array of numbers; save the weights again")
    if array.id.get_create_plist().get_nfilters():
        raise NotPlain(
            f"{array.name!r} is compressed; save the weights without compression, as "
            "model.save_weights does"
        )


def _most_texts(item: h5py.Group | h5py.Dataset) -> int:
    """Return the maximum number of variable-length strings in an attribute; raises NotPlain."""
    if len(item.attrs) > _MOST_OBJECTS:
        raise NotPlain(f"{item.name!r} has {len(item.attrs):,} attributes; save the weights again")
    most = 0
    for name in item.attrs:
        attribute = item.attrs.get_id(name)
        kind, count = attribute.get_type(), math.prod(attribute.shape or ())
        is_text = kind.get_class() == h5py.h5t.STRING
        if count > _MOST_VALUES or not (is_text or kind.get_class() in _PLAIN_TYPES):
            raise NotPlain(
                f"the attribute {name!r} of {item.name!r} is not one that Keras writes; save the "
                "weights again"
            )
        if is_text and kind.is_variable_str():
            most = max(most, count)
    return most


def _check_texts(file: h5py.File, content: bytes | mmap, count: int) -> None:
    """Raise NotPlain if `count` strings could be much larger than the file.

    This happens if they all refer to the same long string, which Keras never writes.
    """
    if count < 2:
        return
    if file.userblock_size or file.id.get_create_plist().get_sizes() != (8, 8):
        raise NotPlain("the sizes of addresses are not Keras's; save the weights again")
    for number, place in enumerate(_long_texts(content, _MOST_TEXT // count)):
        first = content.find(place)
        if number == _MOST_LONG or content.find(place, first + 1) >= 0:
            raise NotPlain("a long string is used many times; save the weights again")


def _long_texts(content: bytes | mmap, longest: int) -> Iterator[bytes]:
    """Yield the references to each string that is longer than `longest`: heap and index."""
    heap = content.find(_HEAP)
    while heap >= 0:
        size = _number(content, heap + 8)
        place, end = heap + 16, min(heap + size, len(content))
        while size > longest and place < end and content[place : place + 2] != b"\0\0":
            length = _number(content, place + 8)
            if length > longest:
                yield heap.to_bytes(8, "little") + content[place : place + 2] + b"\0\0"
            place += 16 + (length + 7) // 8 * 8
        heap = content.find(_HEAP, heap + 1)


def _number(content: bytes | mmap, place: int) -> int:
    return int.from_bytes(content[place : place + 8], "little")
