"""PyTorch's old checkpoint format, read without PyTorch.

The format is what `torch.save` wrote before PyTorch 1.6 (and still writes with
`_use_new_zipfile_serialization=False`): five pickles in a row (magic number, protocol version,
`sys_info`, the object, the list of storage keys), then for each key, in the list's order, an
int64 count of elements and the elements themselves, both little-endian.
"""

import io
import math
import pickle
import pickletools
from collections.abc import Callable
from pathlib import Path
from reprlib import Repr
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from tasks.errors import WeightsError

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
PROTOCOL_VERSION = 1001

# bfloat16 and the complex and quantized kinds have no place in the weights that are read here.
STORAGE_DTYPES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "<i1",
    "ByteStorage": "<u1",
    "BoolStorage": "?",
}
# The magic number has 77 bits. A longer number is no count, and Python may refuse to print it.
LONGEST_NUMBER_BITS = 128

_REPR = Repr()
_REPR.maxstring = 120  # a tensor's or a class's name, in full
shortened = _REPR.repr


class _Storage(NamedTuple):
    """The name of one run of elements."""

    dtype: str
    key: str
    size: int


class _Tensor(NamedTuple):
    """A place in a storage; nothing in it has been checked yet."""

    storage: Any
    offset: Any
    size: Any
    stride: Any


class _Names(dict[Any, Any]):
    """What stands in for an OrderedDict; a state dict's `_metadata` is not kept."""

    def __setstate__(self, state: object) -> None:
        """Forget the attributes."""


class _StandIn:
    """A callable in the place of a class: a pickle can call it, but change nothing of it."""

    __slots__ = ("_make",)

    def __init__(self, make: Callable[..., object]) -> None:
        self._make = make

    def __call__(self, *arguments: object) -> object:
        return self._make(*arguments)

    def __setstate__(self, state: object) -> NoReturn:
        raise TypeError("a class was given a state")


class _StateDictUnpickler(pickle.Unpickler):
    """An unpickler that knows only what a state dict needs."""

    def __init__(self, content: bytes, path: Path) -> None:
        super().__init__(io.BytesIO(content))
        self._path = path

    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401
        if (module, name) == ("collections", "OrderedDict"):
            return _StandIn(_Names)
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            # What follows the stride is no part of the values: requires_grad, hooks, metadata.
            return _StandIn(lambda *arguments: _Tensor(*arguments[:4]))
        if module == "torch" and name in STORAGE_DTYPES:
            return STORAGE_DTYPES[name]
        raise WeightsError(
            f"weights {self._path}: the pickle asks for {shortened(f'{module}.{name}')}, which was "
            "refused and not called; expected only what a state dict needs (OrderedDict, "
            f"_rebuild_tensor_v2, {', '.join(STORAGE_DTYPES)}); save model.state_dict() alone"
        )

    def persistent_load(self, pid: Any) -> _Storage:  # noqa: ANN401
        kind, dtype, key, _device, size, view = pid
        known = kind == "storage" and dtype in STORAGE_DTYPES.values() and view is None
        if not (known and isinstance(key, str) and isinstance(size, int)):
            raise TypeError(f"a storage is described as {shortened(pid)}")
        return _Storage(dtype, key, size)


class _File:
    """The bytes of one checkpoint and how far they have been read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.position = 0
        try:
            self.content = path.read_bytes()
        except OSError as error:
            raise WeightsError(
                f"weights {path}: cannot be read: {error.strerror}; give the path of a .pth file"
            ) from error
        if self.content.startswith(b"PK"):
            raise WeightsError(
                f"weights {path}: expected PyTorch's old format. Received: a zip file, the newer; "
                "torch.save(state_dict, path, _use_new_zipfile_serialization=False) writes the old"
            )

    def damaged(self, what: str, *, expected: object, received: object) -> WeightsError:
        """Return the error for a file that is not as it was written."""
        return WeightsError(
            f"weights {self.path}: {what}: expected {expected}. Received: {received}; the file is "
            "damaged, cut short, or not of PyTorch's old format: fetch or save it again"
        )

    def unpickle(self, what: str) -> Any:  # noqa: ANN401
        """Return what the pickle at the present position holds, and go on to its end."""
        where = f"{what} at byte {self.position}"
        try:
            end = self._end_of_pickle()
            value = _StateDictUnpickler(self.content[self.position : end], self.path).load()
        except WeightsError:
            raise
        except Exception as error:  # which ones damage can bring about, pickle leaves open
            received = f"{type(error).__name__}: {error}"
            raise self.damaged(where, expected="a pickle", received=received) from error
        self.position = end
        return value

    def _end_of_pickle(self) -> int:
        """Return where the present pickle ends, after a look at the numbers in it."""
        stream = io.BytesIO(self.content)
        stream.seek(self.position)
        for index, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
            if isinstance(argument, int):
                # For a damaged memo index the unpickler would ask for up to 64 GiB.
                limit = index.bit_length() if "PUT" in opcode.name else LONGEST_NUMBER_BITS
                if argument.bit_length() > limit:
                    raise ValueError(f"{opcode.name} of a number of {argument.bit_length()} bits")
        return stream.tell()

    def expect(self, what: str, expected: int) -> None:
        """Read a pickled number and compare it."""
        received = self.unpickle(what)
        if received != expected:
            raise self.damaged(what, expected=hex(expected), received=shortened(received))

    def elements(self, storage: _Storage) -> NDArray[Any]:
        """Return the elements of the storage at the present position, as (count,)."""
        start = self.position + 8
        count = int.from_bytes(self.content[self.position : start], "little", signed=True)
        end = start + count * np.dtype(storage.dtype).itemsize
        if count != storage.size or not start <= end <= len(self.content):
            where = f"storage {shortened(storage.key)} at byte {self.position}"
            received = f"{count}, in {max(0, len(self.content) - start)} bytes"
            raise self.damaged(where, expected=f"{storage.size} elements", received=received)
        self.position = end
        return np.frombuffer(self.content, storage.dtype, count, start)


def read_state_dict(path: Path) -> dict[str, NDArray[Any]]:
    """Return the tensors of a checkpoint in PyTorch's old format, by name, in the file's order.

    Each is a contiguous array of its own, little-endian, of the shape that PyTorch saw. Nothing
    that the file names is imported or called. Raises WeightsError, and nothing else, for a file
    that is missing, damaged, of another format, or more than a state dict.
    """
    file = _File(path)
    file.expect("magic number", MAGIC_NUMBER)
    file.expect("protocol version", PROTOCOL_VERSION)
    file.unpickle("sys_info")  # of the machine that wrote it; elements are always little-endian
    tensors = _checked_tensors(file, file.unpickle("state dict"))
    elements = _read_storages(file, {tensor.storage for tensor in tensors.values()})
    return {name: _strided(file, name, tensor, elements) for name, tensor in tensors.items()}


def _checked_tensors(file: _File, state: object) -> dict[str, _Tensor]:
    """Return the state dict, in which names are text and each value is a tensor of a storage."""
    if not isinstance(state, dict):
        raise file.damaged("object", expected="a state dict", received=type(state).__name__)
    for name, tensor in state.items():
        whole = isinstance(tensor, _Tensor) and isinstance(tensor.storage, _Storage)
        if not (whole and isinstance(name, str)):
            raise WeightsError(
                f"weights {file.path}: entry {shortened(name)}: expected a name and a tensor. "
                f"Received: {type(tensor).__name__}; save model.state_dict() alone"
            )
    return state


def _read_storages(file: _File, wanted: set[_Storage]) -> dict[_Storage, NDArray[Any]]:
    """Return the elements of each storage; the file must hold those of the tensors, and end."""
    keys = file.unpickle("list of storage keys")
    by_key = {storage.key: storage for storage in wanted}
    texts = isinstance(keys, list) and all(isinstance(key, str) for key in keys)
    if not texts or sorted(keys) != sorted(by_key) or len(by_key) != len(wanted):
        expected = f"the {len(wanted)} storages of the tensors, each once"
        raise file.damaged("list of storage keys", expected=expected, received=shortened(keys))
    elements = {by_key[key]: file.elements(by_key[key]) for key in keys}
    if rest := len(file.content) - file.position:
        raise file.damaged("after the last storage", expected="the end", received=f"{rest} bytes")
    return elements


def _strided(
    file: _File, name: str, tensor: _Tensor, elements: dict[_Storage, NDArray[Any]]
) -> NDArray[Any]:
    """Return a copy of a tensor's elements, after a check that they lie within its storage."""
    storage, offset, size, stride = tensor
    place = f"offset {shortened(offset)}, size {shortened(size)}, stride {shortened(stride)}"
    where = f"tensor {shortened(name)}"
    pair = isinstance(size, tuple) and isinstance(stride, tuple) and len(size) == len(stride)
    if not (pair and all(isinstance(n, int) and n >= 0 for n in (offset, *size, *stride))):
        raise file.damaged(where, expected="as many strides as axes, all from 0", received=place)
    # An axis of one element is never stepped along; PyTorch may write any stride for it.
    steps = [step if length > 1 else 0 for length, step in zip(size, stride, strict=True)]
    count = math.prod(size)
    last = sum((length - 1) * step for length, step in zip(size, steps, strict=True))
    # More elements than the storage has could only repeat them: no weights do that.
    if count > storage.size or (count and offset + last >= storage.size):
        raise file.damaged(where, expected=f"a place in {storage.size} elements", received=place)
    run = elements[storage][offset : offset + last + 1] if count else elements[storage][:0]
    strides = [step * run.itemsize if count else 0 for step in steps]
    try:
        return np.lib.stride_tricks.as_strided(run, size, strides, writeable=False).copy()
    except (ValueError, OverflowError) as error:  # an empty array can still have too long an axis
        raise file.damaged(where, expected="a shape for NumPy", received=place) from error
