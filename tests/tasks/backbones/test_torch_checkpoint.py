import io
import os
import pickle
import sys
import types
import zipfile
from collections import OrderedDict
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.backbones.torch_checkpoint import MAGIC_NUMBER, PROTOCOL_VERSION, read_state_dict
from tasks.errors import WeightsError


def _rebuild_tensor_v2():
    """Never called: only its name is written."""


class Storage:
    def __init__(self, values, key, kind="FloatStorage", view=None):
        self.values, self.key, self.kind, self.view = np.asarray(values), key, kind, view


class Tensor:
    def __init__(self, storage, offset, size, stride):
        self.arguments = (storage, offset, size, stride, False, OrderedDict())

    def __reduce__(self):
        return _rebuild_tensor_v2, self.arguments


class Writer(pickle.Pickler):
    def persistent_id(self, thing):
        if isinstance(thing, Storage):
            kind = getattr(sys.modules["torch"], thing.kind)
            return ("storage", kind, thing.key, "cpu", thing.values.size, thing.view)
        return None


def pickled(*things):
    """Pickle them as PyTorch would, whose names `torch...` exist only meanwhile."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    for kind in ("FloatStorage", "LongStorage", "HalfStorage", "BoolStorage", "BFloat16Storage"):
        setattr(torch, kind, type(kind, (), {"__module__": "torch"}))
    _rebuild_tensor_v2.__module__ = "torch._utils"
    torch._utils, utils._rebuild_tensor_v2 = utils, _rebuild_tensor_v2
    stream = io.BytesIO()
    with mock.patch.dict(sys.modules, {"torch": torch, "torch._utils": utils}):
        for thing in things:
            Writer(stream, protocol=2).dump(thing)
    return stream.getvalue()


def checkpoint(state, *storages, magic=MAGIC_NUMBER, protocol=PROTOCOL_VERSION):
    keys = [storage.key for storage in storages]
    content = pickled(magic, protocol, {"little_endian": True}, state, keys)
    for storage in storages:
        content += storage.values.size.to_bytes(8, "little") + storage.values.tobytes()
    return content


def small():
    weight = Storage(np.arange(12, dtype="<f4"), "7")
    count = Storage(np.array([3], "<i8"), "5", "LongStorage")
    state = OrderedDict(weight=Tensor(weight, 0, (3, 4), (4, 1)), count=Tensor(count, 0, (), ()))
    state._metadata = OrderedDict(version=1)
    return checkpoint(state, count, weight)


SMALL = small()


@pytest.fixture
def read(tmp_path):
    def read(content):
        path = tmp_path / "weights.pth"
        path.write_bytes(content)
        return read_state_dict(path)

    return read


def test_a_state_dict_is_read_in_its_order(read):
    tensors = read(SMALL)
    assert list(tensors) == ["weight", "count"]
    np.testing.assert_array_equal(tensors["weight"], np.arange(12, dtype="f4").reshape(3, 4))
    assert tensors["weight"].dtype == np.float32
    assert tensors["count"].shape == ()
    assert tensors["count"] == 3


def test_arrays_belong_to_the_caller(read):
    weight = read(SMALL)["weight"]
    assert weight.flags.c_contiguous
    assert weight.flags.aligned
    assert weight.flags.writeable


@pytest.mark.parametrize(
    ("size", "stride", "expected"),
    [
        ((4, 3), (1, 4), np.arange(12).reshape(3, 4).T),
        ((2, 1, 3, 2), (1, 999, 4, 2), np.arange(12).reshape(3, 2, 2).T[:, None].swapaxes(2, 3)),
        ((1, 12), (0, 1), [np.arange(12)]),
    ],
)
def test_axes_may_be_in_any_order(read, size, stride, expected):
    storage = Storage(np.arange(12, dtype="<f4"), "0")
    tensors = read(checkpoint({"w": Tensor(storage, 0, size, stride)}, storage))
    np.testing.assert_array_equal(tensors["w"], expected)
    assert tensors["w"].flags.c_contiguous


@pytest.mark.parametrize(
    ("offset", "size", "stride"),
    [
        (0, (13,), (1,)),
        (1, (12,), (1,)),
        (0, (3,), (0,)),
        (0, (2, 6), (6, 2)),
        (0, (12, 12), (1, 0)),
        (0, (3, 4), (5, 1)),
        (12, (1,), (1,)),
        (-1, (2,), (1,)),
        (0, (-2,), (1,)),
        (0, (2,), (-1,)),
        (0, (2**70,), (0,)),
        (0, (0, 2**70), (1, 1)),
        (0, (1,) * 99, (1,) * 99),
        (0, (2,), (1, 1)),
        (0, [2], [1]),
        (0.0, (2,), (1,)),
    ],
)
def test_a_tensor_that_is_not_its_whole_storage_is_refused(read, offset, size, stride):
    storage = Storage(np.arange(12, dtype="<f4"), "0")
    content = checkpoint({"layer.weight": Tensor(storage, offset, size, stride)}, storage)
    with pytest.raises(WeightsError, match=r"tensor 'layer\.weight': expected .* Received: offset"):
        read(content)


class Evil:
    def __init__(self, function, argument):
        self.call = function, (argument,)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("place", ["magic number", "state dict"])
def test_a_malicious_pickle_is_refused_and_not_executed(read, tmp_path, place, protocol):
    harm = tmp_path / "harm"
    evil = pickle.dumps(Evil(os.system, f"touch {harm}"), protocol)
    before = b"" if place == "magic number" else pickled(MAGIC_NUMBER, PROTOCOL_VERSION, {})
    with pytest.raises(WeightsError, match=r"requests 'posix\.system', which was refused"):
        read(before + evil)
    assert not harm.exists()
    pickle.loads(evil)
    assert harm.exists()  # it would have done it


def test_eval_within_a_state_dict_is_refused(read, tmp_path):
    harm = tmp_path / "harm"
    evil = Evil(eval, f"open({str(harm)!r}, 'w').close()")
    with pytest.raises(WeightsError, match=r"'(__builtin__|builtins)\.eval', which was refused"):
        read(checkpoint({"weight": evil}))
    assert not harm.exists()


@pytest.mark.parametrize("asked", ["collections OrderedDict.update", "torch FloatStorage.__init__"])
def test_what_lies_within_an_allowed_class_is_refused(read, asked):
    module, name = asked.split()
    with pytest.raises(WeightsError, match=f"'{module}.{name}', which was refused"):
        read(b"c" + module.encode() + b"\n" + name.encode() + b"\n.")


def test_a_pickle_cannot_change_what_stands_in_for_a_class(read):
    given_a_state = b"ctorch._utils\n_rebuild_tensor_v2\n(NS'__defaults__'\nNsdtb."
    with pytest.raises(WeightsError, match="expected a pickle"):
        read(given_a_state)
    assert read(SMALL).keys() == {"weight", "count"}


def test_another_kind_of_storage_is_named(read):
    storage = Storage(np.zeros(2, "<u2"), "0", "BFloat16Storage")
    with pytest.raises(WeightsError, match=r"torch\.BFloat16Storage"):
        read(checkpoint({"w": Tensor(storage, 0, (2,), (1,))}, storage))


@pytest.mark.parametrize("length", range(len(SMALL)))
def test_a_truncated_file_is_one_clear_error(read, length):
    with pytest.raises(WeightsError, match=r"expected .* Received: .*damaged, truncated"):
        read(SMALL[:length])


@given(position=st.integers(0, len(SMALL) - 1), byte=st.integers(0, 255))
@settings(max_examples=300)
def test_a_damaged_byte_gives_tensors_or_the_error(tmp_path_factory, position, byte):
    path = tmp_path_factory.getbasetemp() / "damaged.pth"
    path.write_bytes(SMALL[:position] + bytes([byte]) + SMALL[position + 1 :])
    try:
        tensors = read_state_dict(path)
    except WeightsError:
        return
    assert len(tensors) == 2


def test_a_damaged_memo_index_asks_for_no_memory(read):
    with pytest.raises(WeightsError, match="LONG_BINPUT with a number of 32 bits"):
        read(b"\x80\x02}r\xff\xff\xff\xff.")


def test_bytes_after_the_last_storage_are_an_error(read):
    with pytest.raises(WeightsError, match=r"after the last storage.* Received: 3 bytes"):
        read(SMALL + b"abc")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (checkpoint({}, magic=17), "magic number: expected 0x1950a86a20f9469cfc6c. Received: 17"),
        (checkpoint({}, protocol=1002), "protocol version: expected 0x3e9. Received: 1002"),
        (b"\x89HDF\r\n\x1a\n", "magic number at byte 0: expected a pickle"),
        (checkpoint([1]), "object: expected a state dict. Received: list"),
        (checkpoint({"epoch": 3}), "entry 'epoch': expected a name and a tensor. Received: int"),
    ],
)
def test_what_is_not_a_state_dict_is_said(read, content, message):
    with pytest.raises(WeightsError, match=message):
        read(content)


def test_storages_must_be_listed_once(read):
    storage = Storage(np.zeros(2, "<f4"), "0")
    state = {"w": Tensor(storage, 0, (2,), (1,))}
    for storages in ([], [storage, storage], [Storage(storage.values, "1")]):
        with pytest.raises(WeightsError, match="list of storage keys: expected the 1 storages"):
            read(checkpoint(state, *storages))


def test_a_storage_must_have_the_size_that_tensors_expect(read):
    storage, other = (Storage(np.zeros(size, "<f4"), "0") for size in (2, 3))
    with pytest.raises(WeightsError, match=r"storage '0' .*: expected 2 elements. Received: 3"):
        read(checkpoint({"w": Tensor(storage, 0, (2,), (1,))}, other))


def test_the_zip_format_is_named(read):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("archive/data.pkl", b"")
    with pytest.raises(
        WeightsError, match=r"expected .* a zip file.*_use_new_zipfile_serialization=False"
    ):
        read(stream.getvalue())


@pytest.mark.parametrize("name", ["absent.pth", "."])
def test_what_cannot_be_read_is_said(tmp_path, name):
    with pytest.raises(WeightsError, match=r"cannot be read: .* give the path of"):
        read_state_dict(Path(tmp_path) / name)
