"""HDF5 files of somebody else: found to be as Keras writes them, before an array of one is read.

Keras writes plain arrays, without filters, and short attributes. A few bytes can announce
gigabytes, and what is deflated can unpack to any size, whatever its array announces: HDF5 unpacks
a chunk until its data ends.
"""

import math
from collections.abc import Iterator
from mmap import mmap

import h5py

_MOST_OBJECTS = 100_000  # groups and arrays; of Keras's largest model there are some thousands
_MOST_VALUES = 100_000  # of an attribute: names of layers, as far as 64 kB hold them
_PLAIN_TYPES = {h5py.h5t.INTEGER, h5py.h5t.FLOAT, h5py.h5t.ENUM}
# Texts of any length lie in heaps (HDF5 file format, III.E), each told by the heap's address and
# a number in it.
_HEAP = b"GCOL\1\0\0\0"
_MOST_TEXT = 2**28  # bytes of an attribute's texts together
_MOST_LONG = 20  # texts in a file that are so long that some of them together could be more


class NotPlain(ValueError):
    """A file has in it what Keras never writes; the message says what, and the way out."""


def plain_arrays(file: h5py.File, content: bytes | mmap) -> list[h5py.Dataset]:
    """Return the arrays of a file of these bytes, none of which is read; raises NotPlain."""
    if link := _first_link(file):
        raise NotPlain(f"{link!r} in it is a link; save the model again, in one file")
    items = [file, *_objects(file)]
    _check_texts(file, content, max(map(_most_texts, items)))
    arrays = [item for item in items if isinstance(item, h5py.Dataset)]
    for array in arrays:
        _check_array(array)
    return arrays


def arrays_of(file: h5py.File) -> list[h5py.Dataset]:
    """Return the arrays of a file that was found to be plain."""
    return [item for item in _objects(file) if isinstance(item, h5py.Dataset)]


def announced_bytes(array: h5py.Dataset) -> int:
    """Return what reading an array takes: of one in chunks, a whole chunk at least."""
    values = max(math.prod(array.shape), math.prod(array.chunks or ()))
    return int(values * array.dtype.itemsize)


def _objects(file: h5py.File) -> list[h5py.Group | h5py.Dataset]:
    found: list[h5py.Group | h5py.Dataset] = []

    def visit(_: str, item: h5py.Group | h5py.Dataset) -> bool | None:
        found.append(item)
        return True if len(found) > _MOST_OBJECTS else None

    if file.visititems(visit):
        raise NotPlain(f"it has more than {_MOST_OBJECTS:,} parts; save the weights again")
    return found


def _first_link(file: h5py.File) -> str:
    """Return the name of what is a link to another name or file, or an empty text."""
    found = file.visititems_links(
        lambda name, link: None if isinstance(link, h5py.HardLink) else name
    )
    return str(found or "")


def _check_array(array: h5py.Dataset) -> None:
    if array.dtype.kind not in "fiub" or array.shape is None or array.is_virtual or array.external:
        raise NotPlain(f"{array.name!r} in it is no array of numbers; save the weights again")
    if array.id.get_create_plist().get_nfilters():
        raise NotPlain(
            f"{array.name!r} in it is compressed, which is not unpacked unmeasured; save the "
            "weights without compression, as model.save_weights does"
        )


def _most_texts(item: h5py.Group | h5py.Dataset) -> int:
    """Return how many texts of any length an attribute has at the most; raises NotPlain."""
    if len(item.attrs) > _MOST_OBJECTS:
        raise NotPlain(f"{item.name!r} in it has {len(item.attrs):,} attributes; save it again")
    most = 0
    for name in item.attrs:
        attribute = item.attrs.get_id(name)
        kind, count = attribute.get_type(), math.prod(attribute.shape or ())
        is_text = kind.get_class() == h5py.h5t.STRING
        if count > _MOST_VALUES or not (is_text or kind.get_class() in _PLAIN_TYPES):
            raise NotPlain(
                f"the attribute {name!r} of {item.name!r} in it is none that Keras writes; save "
                "the weights again"
            )
        if is_text and kind.is_variable_str():
            most = max(most, count)
    return most


def _check_texts(file: h5py.File, content: bytes | mmap, count: int) -> None:
    """Raise NotPlain where `count` texts could be more than they take of the file.

    All of them may be one and the same long text, which Keras writes none of twice.
    """
    if count < 2:
        return
    if file.userblock_size or file.id.get_create_plist().get_sizes() != (8, 8):
        raise NotPlain("its addresses are none that Keras writes; save the weights again")
    for number, place in enumerate(_long_texts(content, _MOST_TEXT // count)):
        first = content.find(place)
        if number == _MOST_LONG or content.find(place, first + 1) >= 0:
            raise NotPlain("one of its texts stands in many places; save the weights again")


def _long_texts(content: bytes | mmap, longest: int) -> Iterator[bytes]:
    """Yield how a file refers to each text in it that is longer, by its heap and its number."""
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
