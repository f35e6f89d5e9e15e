"""Checkpoints: what is kept of a training that takes many epochs, until its run is stored."""

import json
import logging
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stores.errors import CorruptStore, NewerFormat, StoreError, newer_format
from stores.layout import locate
from stores.runs.store import RunStore
from stores.storage.digests import damage, file_digests, json_digest
from stores.storage.garbage import Garbage, aged
from stores.storage.json_files import ABSURD, as_record, read_object
from stores.storage.location import GRACE_SECONDS, Location, StoreLike
from stores.storage.safe_files import status, write_new
from stores.storage.safe_folders import bytes_of, folders

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

    def __init__(self, root: StoreLike, run: str) -> None:
        self.place = locate(root) / "checkpoints" / run[:16]
        self._run = run

    @property
    def folder(self) -> Path:
        """Where that is on this machine."""
        return self.place.path

    def publish(
        self, history: Sequence[dict[str, float]], *, save: Callable[[Path], None]
    ) -> Checkpoint:
        """Keep a training durably as it is after `len(history)` epochs.

        `save` writes into the empty folder that it is given. Raises StoreReadOnly or StoreFull.
        """
        final = self.place / f"{len(history):06}"
        if status(final.path):  # a damaged one, or another process's, which is as good as this
            self._remove(final)
        with final.publish_folder(tmp=self.place / "tmp") as draft:
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
        upto = [folder for folder in self._folders() if folder.name <= final.name]
        for older in upto[:-_KEPT]:
            self._remove(older)
        return Checkpoint(final.path, list(history))

    def latest(self) -> Checkpoint | None:
        """Return the newest that is whole; one that is damaged is said, and passed over.

        Raises NewerFormat.
        """
        self.place.refresh()
        for folder in reversed(self._folders()):
            try:
                return self._read(folder)
            except (OSError, CorruptStore) as error:
                log.warning("%s: a damaged checkpoint is passed over: %s", folder, error)
        return None

    def stats(self) -> CheckpointStats:
        """Return whose they are, how many, and their bytes."""
        kept = self._folders()
        return CheckpointStats(
            self.place.name, len(kept), sum(bytes_of(folder.path) for folder in kept)
        )

    def verify(self) -> list[str]:
        """Read every byte of each; return what is wrong, and from where the next call goes on."""
        kept, whole, findings = self._folders(), [], []
        for folder in kept:
            try:
                self._read(folder)
                whole.append(folder)
            except (StoreError, OSError) as error:
                if status(folder.path):
                    findings.append(error)
        fix = _fix(kept, whole)
        return [
            str(found) if isinstance(found, NewerFormat) else f"{found}; {fix}"
            for found in findings
        ]

    def garbage(self, grace_seconds: float = GRACE_SECONDS) -> Iterator[Garbage]:
        """Find those that nobody goes on from: damaged ones, or all that were left alone."""
        places = self._folders() or [self.place, self.place / "tmp"]
        changed = [about.st_mtime for place in places if (about := status(place.path))]
        if changed and time.time() - max(changed) > ABANDONED_SECONDS:
            yield from aged(self.place, "checkpoints that nobody went on with", grace_seconds)
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
            self.place.delete()

    def _remove(self, folder: Location) -> None:
        """Delete one, if that is permitted; it goes at once, so that nobody finds half of it."""
        with suppress(OSError):
            folder.delete(tmp=self.place / "tmp")

    def _is_damaged(self, folder: Location) -> bool:
        try:
            self._read(folder)
        except CorruptStore:
            return status(folder.path) is not None  # else the training was done with it just now
        except (NewerFormat, OSError):  # it may be whole
            return False
        return False

    def _read(self, place: Location) -> Checkpoint:
        """Return one that is whole; raises CorruptStore, NewerFormat, or the system's OSError."""
        folder = place.path
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
            what, version = f"{folder}: a checkpoint", about["format"]
            raise newer_format(what, version, CHECKPOINT_VERSION, use="go on with it")
        if about["format"] >= _DIGEST_SINCE and about.pop("digest") != _digest(about):
            raise CorruptStore(f"{folder / _ABOUT}: the file is damaged")
        found = {name: digest for name, digest in file_digests(folder).items() if name != _ABOUT}
        if wrong := damage(folder, dict(about["sha256"]), found, what="checkpoint"):
            raise CorruptStore(wrong)
        if not about["run"].startswith(self._run) or int(folder.name) != len(about["history"]):
            raise CorruptStore(f"{folder}: it is that of another training, of run {about['run']}")
        return as_record(Checkpoint, {"history": about["history"]}, folder=folder)

    def _folders(self) -> list[Location]:
        kept = [path.name for path in folders(self.place.path)]
        return [self.place / name for name in kept if name.isdecimal()]


def unfinished(root: StoreLike) -> list[Checkpoints]:
    """Return the checkpoints of each run that is not stored: what its next call goes on from."""
    runs = RunStore(root)
    return [
        found
        for found in all_checkpoints(root)
        if found.stats().checkpoints and not is_stored(runs, found.place.name)
    ]


def all_checkpoints(root: StoreLike) -> list[Checkpoints]:
    """Return the checkpoints of each run, those that a stored one left behind among them."""
    folder = locate(root) / "checkpoints"
    folder.refresh()
    names = [found.name for found in folders(folder.path)]
    return [Checkpoints(root, name) for name in names if _NAME.fullmatch(name)]


def checkpoint_garbage(root: StoreLike, grace_seconds: float = GRACE_SECONDS) -> Iterator[Garbage]:
    """Find the checkpoints of runs that are stored, abandoned ones, and those that are damaged."""
    runs = RunStore(root)
    for found in all_checkpoints(root):
        if is_stored(runs, found.place.name):
            reason = "checkpoints of a run that is stored"
            yield from aged(found.place, reason, grace_seconds)
        else:
            yield from found.garbage(grace_seconds)


def is_stored(runs: RunStore, run: str) -> bool:
    """Return whether a run is stored, and whole; by the beginning of its id."""
    try:
        return run in runs
    except NewerFormat:  # nobody here can tell if it is whole
        return False


def _digest(about: dict[str, Any]) -> str:
    return json_digest(about, allow_nan=True)  # a loss may be anything


def _fix(kept: Sequence[Location], whole: Sequence[Location]) -> str:
    """Say from where a training goes on, of whose checkpoints, oldest first, some are whole."""
    if not whole:
        return "no other is whole, the next call begins anew"
    which = "the newest" if whole[-1] == kept[-1] else "the one before"
    return f"the next call goes on from {which}, after epoch {int(whole[-1].name)}"
