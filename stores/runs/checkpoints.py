"""Checkpoints: what is kept of a training that takes many epochs, until its run is stored."""

import json
import logging
import os
import re
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stores.errors import CorruptStore, NewerFormat, StoreError
from stores.runs.store import RunStore
from stores.storage.digests import damage, file_digests, json_digest
from stores.storage.garbage import Garbage, aged, bytes_of
from stores.storage.json_files import ABSURD, as_record, read_object
from stores.storage.publish import make_folder, publish_folder
from stores.storage.remote.folders import GRACE_SECONDS
from stores.storage.remote.mirror import delete_there, pull, store_path
from stores.storage.safe_files import status, write_new
from stores.storage.safe_folders import folders, remove, rename

log = logging.getLogger("gargalo.store")

CHECKPOINT_VERSION = 2
_DIGEST_SINCE = 2  # `checkpoint.json` has one of itself
# What nobody went on with for so long, nobody will.
ABANDONED_SECONDS = 30 * 24 * 3600.0
_KEPT = 2  # the newest, and the one before in case that it is damaged
_ABOUT = "checkpoint.json"
_NAME = re.compile("[0-9a-f]{16}")

History = list[dict[str, float]]


@dataclass(frozen=True)
class Checkpoint:
    """A training as it was after some epochs: where its files lie, and a row an epoch."""

    folder: Path
    history: History

    @property
    def epochs(self) -> int:
        """How many epochs are done."""
        return len(self.history)


@dataclass(frozen=True)
class CheckpointStats:
    """How many checkpoints a fine-tuning has."""

    run: str  # the first 16 digits of its id
    checkpoints: int
    bytes: int


class Checkpoints:
    """Those of one run that is being trained: `checkpoints/<first 16 digits of its id>/`.

    `run` is its id, or for who only looks at them these digits.
    """

    def __init__(self, root: str | os.PathLike[str], run: str) -> None:
        self.folder = store_path(root) / "checkpoints" / run[:16]
        self._run = run

    def publish(
        self, history: Sequence[dict[str, float]], *, save: Callable[[Path], None]
    ) -> Checkpoint:
        """Keep a training durably as it is after `len(history)` epochs.

        `save` writes into the empty folder that it is given. Raises StoreReadOnly or StoreFull.
        """
        final = self.folder / f"{len(history):06}"
        if status(final):  # a damaged one, or that of another process: both are as good as this
            self._remove(final)
        with publish_folder(final, tmp=self.folder / "tmp") as draft:
            save(draft)
            about = {
                "format": CHECKPOINT_VERSION,
                "run": self._run,
                "history": list(history),
                "sha256": file_digests(draft),
            }
            content = json.dumps(about | {"digest": _digest(about)})
            write_new(draft / _ABOUT, content.encode())
        # A later one is damaged, where this training begins anew: it must not crowd out this.
        upto = [folder for folder in self._folders() if folder <= final]
        for older in upto[:-_KEPT]:
            self._remove(older)
        return Checkpoint(final, list(history))

    def latest(self) -> Checkpoint | None:
        """Return the newest that is whole; one that is damaged is said, and passed over.

        Raises NewerFormat.
        """
        pull(self.folder)
        for folder in reversed(self._folders()):
            try:
                return self._read(folder)
            except (OSError, CorruptStore) as error:
                log.warning("%s: a damaged checkpoint is passed over: %s", folder, error)
        return None

    def stats(self) -> CheckpointStats:
        """Return whose they are, how many, and their bytes."""
        kept = self._folders()
        return CheckpointStats(self.folder.name, len(kept), sum(map(bytes_of, kept)))

    def verify(self) -> list[str]:
        """Read every byte of each; return what is wrong, and from where the next call goes on."""
        kept, whole, findings = self._folders(), [], []
        for folder in kept:
            try:
                whole.append(self._read(folder).folder)
            except (StoreError, OSError) as error:
                if status(folder):
                    findings.append(error)
        way_out = _way_out(kept, whole)
        return [
            str(found) if isinstance(found, NewerFormat) else f"{found}; {way_out}"
            for found in findings
        ]

    def garbage(self, grace_seconds: float = GRACE_SECONDS) -> Iterator[Garbage]:
        """Find those that nobody goes on from: damaged ones, or all that were left alone."""
        places = self._folders() or [self.folder, self.folder / "tmp"]
        changed = [about.st_mtime for path in places if (about := status(path))]
        if changed and time.time() - max(changed) > ABANDONED_SECONDS:
            yield from aged(self.folder, "checkpoints that nobody went on with", grace_seconds)
            return
        for folder in self._folders():
            for found in aged(folder, "a damaged checkpoint", grace_seconds):
                if self._is_damaged(folder):
                    yield found

    def discard(self) -> None:
        """Delete all of them: the run is stored."""
        for folder in self._folders():
            self._remove(folder)
        with suppress(OSError):
            remove(self.folder)

    def _remove(self, folder: Path) -> None:
        """Delete one, if that is permitted; it goes at once, so that nobody finds half of it."""
        draft = self.folder / "tmp" / f"{uuid.uuid4().hex}.draft"
        with suppress(OSError):
            delete_there(folder)
            make_folder(draft.parent)
            rename(folder, draft)
        with suppress(OSError):
            remove(draft)

    def _is_damaged(self, folder: Path) -> bool:
        try:
            self._read(folder)
        except CorruptStore:
            return status(folder) is not None  # else the training was done with it just now
        except (NewerFormat, OSError):  # it may be whole
            return False
        return False

    def _read(self, folder: Path) -> Checkpoint:
        """Return one that is whole; raises CorruptStore, NewerFormat, or the system's OSError."""
        try:
            return self._checked(folder)
        except StoreError:
            raise
        except FileNotFoundError as error:
            raise CorruptStore(f"{error.filename}: the file is gone") from error
        except ABSURD as error:
            raise CorruptStore(f"{folder / _ABOUT}: the file is damaged") from error

    def _checked(self, folder: Path) -> Checkpoint:
        about = read_object(folder / _ABOUT)
        if about["format"] > CHECKPOINT_VERSION:
            raise NewerFormat(
                f"{folder}: a checkpoint of format version {about['format']}, this software knows "
                f"up to {CHECKPOINT_VERSION}; update gargalo to go on with it"
            )
        if about["format"] >= _DIGEST_SINCE and about.pop("digest") != _digest(about):
            raise CorruptStore(f"{folder / _ABOUT}: the file is damaged")
        found = {name: digest for name, digest in file_digests(folder).items() if name != _ABOUT}
        if wrong := damage(folder, dict(about["sha256"]), found, what="checkpoint"):
            raise CorruptStore(wrong)
        if not about["run"].startswith(self._run) or int(folder.name) != len(about["history"]):
            raise CorruptStore(f"{folder}: it is that of another training, of run {about['run']}")
        return as_record(Checkpoint, {"history": about["history"]}, folder=folder)

    def _folders(self) -> list[Path]:
        return [path for path in folders(self.folder) if path.name.isdecimal()]


def unfinished(root: str | os.PathLike[str]) -> list[Checkpoints]:
    """Return the checkpoints of each run that is not stored: what its next call goes on from."""
    runs = RunStore(root)
    return [
        found
        for found in all_checkpoints(root)
        if found.stats().checkpoints and not is_stored(runs, found.folder.name)
    ]


def all_checkpoints(root: str | os.PathLike[str]) -> list[Checkpoints]:
    """Return the checkpoints of each run, those that a stored one left behind among them."""
    folder = store_path(root) / "checkpoints"
    pull(folder)
    names = [found.name for found in folders(folder)]
    return [Checkpoints(root, name) for name in names if _NAME.fullmatch(name)]


def checkpoint_garbage(
    root: str | os.PathLike[str], grace_seconds: float = GRACE_SECONDS
) -> Iterator[Garbage]:
    """Find the checkpoints of runs that are stored, abandoned ones, and those that are damaged."""
    runs = RunStore(root)
    for found in all_checkpoints(root):
        if is_stored(runs, found.folder.name):
            reason = "checkpoints of a run that is stored"
            yield from aged(found.folder, reason, grace_seconds)
        else:
            yield from found.garbage(grace_seconds)


def is_stored(runs: RunStore, run: str) -> bool:
    """Tell whether a run is stored, and whole; by the beginning of its id."""
    try:
        return run in runs
    except NewerFormat:  # nobody here can tell if it is whole
        return False


def _digest(about: dict[str, Any]) -> str:
    return json_digest(about, allow_nan=True)  # a loss may be anything


def _way_out(kept: Sequence[Path], whole: Sequence[Path]) -> str:
    """Say from where a training goes on, of whose checkpoints, oldest first, some are whole."""
    if not whole:
        return "no other is whole, the next call begins anew"
    which = "the newest" if whole[-1] == kept[-1] else "the one before"
    return f"the next call goes on from {which}, after epoch {int(whole[-1].name)}"
