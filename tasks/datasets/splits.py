"""Train, validation and test splits: by content, stratified, seeded, and kept once assigned."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from stores.dataset_summary import KeepTogether, SplitBy
from stores.keys import KEY_BYTES, ImageKey
from stores.manifest import SPLITS, Manifest
from stores.manifest_rows import filtered, first_of_each, only_where, places_of, set_column
from tasks.datasets.drawn_splits import NONE, TEST, TRAIN, VALIDATION, Codes, Drawn
from tasks.datasets.groups import leave_out_divided
from tasks.datasets.split_file import SplitFile
from tasks.errors import InputError

Rule = tuple[int, float, float, SplitBy]
log = logging.getLogger("gargalo.ingest")


@dataclass(frozen=True)
class SplitRule:
    """How images are split: the seed, the fraction of test images, and of validation images.

    None: the value of the data set; a new data set has seed 0 and fractions of 0.2, and is split by
    chance. A split file gives each image its split instead.
    """

    seed: int | None = None
    test_split: float | None = None
    validation_split: float | None = None
    file: Path | None = None
    by: SplitBy | None = None
    keep_together: KeepTogether | None = None

    def resolved(self, previous: Manifest | None) -> Rule:
        """Return seed, test fraction, validation fraction and what splits a data set."""
        seed, test, validation, by = _rule_of(previous) if previous else (0, 0.2, 0.2, "chance")
        return (
            seed if self.seed is None else self.seed,
            float(test if self.test_split is None else self.test_split),
            float(validation if self.validation_split is None else self.validation_split),
            self.by or by,
        )

    def kept_together(self, previous: Manifest | None) -> KeepTogether:
        """Return what no split divides, beside groups."""
        return self.keep_together or (previous.keep_together if previous else "none")

    def agrees_with(self, previous: Manifest) -> bool:
        """Return whether a data set was split by this rule."""
        return self.resolved(previous) == _rule_of(previous)


AS_BEFORE = SplitRule()


def split_rows(
    manifest: Manifest,
    rows: pa.Table,
    previous: Manifest | None,
    given_by: SplitFile | None = None,
    *,
    warn: Callable[..., None] = log.warning,
) -> pa.Table:
    """Return the rows with their splits: those of a split file, of the folders, or random.

    Random splits follow the rule in `manifest`. Files in a folder of a split keep that split.
    Without a validation folder, a part of train becomes validation. With one, but without a test
    folder, a part of validation becomes test, as in TensorFlow's tutorial. An open split is drawn
    again.
    """
    previous = _without_open_splits(previous)
    keyed = first_of_each(filtered(rows.select(["path", "key"]), pc.is_valid(rows["key"])))
    if given_by:
        had = _codes(_by_key(keyed, previous))
        splits = given_by.codes_of(rows, keyed)
        if moved := np.count_nonzero((had >= 0) & (splits >= 0) & (had != splits)):
            warn("%s moves %d images to another split", given_by.file, moved)
        return leave_out_divided(_with_splits(rows, keyed, np.where(splits >= 0, splits, had)))
    remembered = _codes(_remembered(manifest, rows, keyed, previous, warn))
    columns = rows.select(["path", "key", "label", "split", "group", "time"])
    images = first_of_each(filtered(columns, pc.equal(rows["status"], "accepted")))
    there = places_of(images["key"], keyed["key"]).to_numpy()
    given, known = _codes(images["split"]), remembered[there]
    drawn = Drawn.of(manifest, images)
    _check_times(manifest, images, (known < 0) & (given < 0))
    if (given >= 0).any() and (given < 0).any():
        bare = images["path"][int(np.argmax(given < 0))].as_py()
        raise InputError(f"no split for {bare!r}; give one in each row of the table, or in none")
    if (given < 0).all():
        splits = drawn.assign(known, manifest.test_split, manifest.validation_split)
    elif (given != VALIDATION).all():
        learned = given == TRAIN
        some = np.where(known == TEST, NONE, known)[learned]
        splits = given.copy()
        splits[learned] = drawn.part(learned).assign(some, 0.0, manifest.validation_split)
    elif (given == TEST).any():
        splits = given
    else:
        held_out = given == VALIDATION
        some = np.where(known == TRAIN, NONE, known)[held_out]
        splits = given.copy()
        splits[held_out] = drawn.part(held_out).assign(some, manifest.test_split, 1.0)
    if manifest.keep_together != "none":
        rows = _with_open_splits(rows, keyed, remembered < 0)
    remembered[there] = np.where(splits >= 0, splits, known)
    return leave_out_divided(_with_splits(rows, keyed, remembered))


def are_as_given(manifest: Manifest, files: pa.Table) -> bool:
    """Return whether images have the splits that a table gives; `files` are those listed."""
    if not manifest.classes:
        return True  # there are no splits
    accepted = manifest.of_status("accepted")
    place = places_of(accepted["path"], files["path"])
    given = set_column(accepted, "split", files["split"].take(place))
    again = split_rows(manifest, given, manifest)
    return all(again[name].equals(accepted[name]) for name in ("split", "status"))


def gone(previous: Manifest | None, rows: pa.Table) -> pa.Table:
    """Return the rows of removed images: their splits and corrections are remembered.

    An image that is now turned upright, or is no longer, is the same one.
    """
    if previous is None:
        return rows.schema.empty_table()
    worth = pc.or_(pc.is_valid(previous.rows["split"]), pc.is_valid(previous.rows["given_label"]))
    had = filtered(previous.rows, pc.and_(pc.is_valid(previous.rows["key"]), worth))
    lost = first_of_each(had.filter(pc.is_null(places_of(had["key"], rows["key"]))))
    if len(lost):
        lost = lost.filter(pc.invert(_turned(lost, rows)))
    return set_column(lost, "status", pa.array(["absent"] * len(lost), pa.string()))


def majority_baseline(counts: Mapping[str, Mapping[str, int]]) -> tuple[str, float]:
    """Return the majority class of train, and the accuracy of this baseline on test.

    Without test images, it is the accuracy on all images. `counts` are images by class and split.
    """
    largest = max(counts, key=lambda name: counts[name]["train"])
    tested = {name: row["test"] for name, row in counts.items()}
    if not any(tested.values()):
        tested = {name: sum(row.values()) for name, row in counts.items()}
    return largest, tested[largest] / max(1, sum(tested.values()))


def _turned(lost: pa.Table, rows: pa.Table) -> pa.Array:
    """Return which lost images are there turned: upright now, or at their paths as stored."""
    keys = lost["key"].to_pylist()
    upright = pa.array([ImageKey(key).upright() for key in keys], pa.binary(KEY_BYTES))
    there = _looked_up(lost["path"], rows["path"], rows["key"]).to_pylist()
    stored = pa.array(
        [bool(now) and ImageKey(now).upright() == key for now, key in zip(there, keys, strict=True)]
    )
    return pc.or_(pc.is_in(upright, rows["key"].combine_chunks()), stored)


def _with_splits(rows: pa.Table, keyed: pa.Table, codes: Codes) -> pa.Table:
    """Return rows with the splits of distinct images; a file without a key keeps its own."""
    names = pa.array(SPLITS, pa.string()).take(pa.array(codes, mask=codes < 0))
    own = only_where(pc.is_null(rows["key"]), rows["split"])
    given = pa.chunked_array([names.take(places_of(rows["key"], keyed["key"]))])
    return set_column(rows, "split", pc.coalesce(given, own))


def _with_open_splits(rows: pa.Table, keyed: pa.Table, new: NDArray[np.bool_]) -> pa.Table:
    """Return rows that tell which splits await the search for near-duplicates."""
    is_new = pa.array(new).take(places_of(rows["key"], keyed["key"]))
    waiting = pc.and_(pc.fill_null(is_new, False), pc.is_null(rows["near_group"]))  # noqa: FBT003
    return set_column(rows, "open_split", waiting)


def _without_open_splits(previous: Manifest | None) -> Manifest | None:
    if previous is None or not pc.any(previous.rows["open_split"]).as_py():
        return previous
    stays = pc.invert(pc.fill_null(previous.rows["open_split"], False))  # noqa: FBT003
    split = only_where(stays, previous.rows["split"])
    return replace(previous, rows=set_column(previous.rows, "split", split))


def _remembered(
    manifest: Manifest,
    rows: pa.Table,
    keyed: pa.Table,
    previous: Manifest | None,
    warn: Callable[..., None],
) -> pa.ChunkedArray:
    """Return the split that each distinct image had, by content, or by path if it was edited."""
    if previous is None:
        return pa.chunked_array([pa.nulls(len(keyed), pa.string())])
    if _rule_of(previous) != _rule_of(manifest):
        warn(
            "data set %r is split again: the seed, a fraction or what splits it changed",
            manifest.name,
        )
        return pa.chunked_array([pa.nulls(len(keyed), pa.string())])
    columns = previous.rows.select(["path", "split"])
    there = filtered(columns, pc.not_equal(previous.rows["status"], "absent"))
    own = _looked_up(rows["path"], there["path"], there["split"])
    edited = rows.select(["key"]).append_column("had", own)
    edited = edited.filter(pc.and_(pc.is_valid(own), pc.is_valid(rows["key"])))
    by_path = _looked_up(keyed["key"], edited["key"], edited["had"])
    return pc.coalesce(_by_key(keyed, previous), by_path)


def _by_key(keyed: pa.Table, previous: Manifest | None) -> pa.ChunkedArray:
    """Return the split that each image had by its content."""
    if previous is None:
        return pa.chunked_array([pa.nulls(len(keyed), pa.string())])
    had = filtered(previous.rows.select(["key", "split"]), pc.is_valid(previous.rows["split"]))
    return _looked_up(keyed["key"], had["key"], had["split"])


def _looked_up(
    wanted: pa.ChunkedArray, names: pa.ChunkedArray, values: pa.ChunkedArray
) -> pa.ChunkedArray:
    """Return the value of each wanted name, or null."""
    return values.take(places_of(wanted, names))


def _codes(splits: pa.ChunkedArray) -> Codes:
    """Return splits as their positions in SPLITS; NONE where there is none."""
    found = pc.index_in(splits, pa.array(SPLITS, pa.string()), skip_nulls=True)
    return np.array(pc.fill_null(found, NONE).to_numpy(), np.int8)


def _check_times(manifest: Manifest, images: pa.Table, new: NDArray[np.bool_]) -> None:
    """Raise InputError for new images without a time, if times split them."""
    if manifest.split_by != "time":
        return
    undated = images["path"].filter(pc.and_(pa.array(new), pc.is_null(images["time"])))
    if len(undated):
        more = f" and {len(undated) - 1} more" if len(undated) > 1 else ""
        raise InputError(
            f"--split-by time: no time for {undated[0].as_py()!r}{more}; give a table with a "
            "column time in --labels (another name: --column time=NAME), or --split-by chance"
        )


def _rule_of(manifest: Manifest) -> Rule:
    return manifest.split_seed, manifest.test_split, manifest.validation_split, manifest.split_by
