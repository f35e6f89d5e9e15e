"""Checkpoints: what is kept of a training that takes many epochs, until its run is stored."""

import json
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from stores.checksums import damage, file_digests
from stores.errors import NewerFormat, explained
from stores.garbage import GRACE_SECONDS, Garbage, aged
from stores.publish import publish_folder
from stores.runs import RunStore

log = logging.getLogger("gargalo.store")

CHECKPOINT_VERSION = 1
# What nobody went on with for so long, nobody will.
ABANDONED_SECONDS = 30 * 24 * 3600.0
_KEPT = 2  # the newest, and the one before in case that it is damaged
_ABOUT = "checkpoint.json"

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


class Checkpoints:
    """Those of one run that is being trained: `checkpoints/<first 16 digits of its id>/`."""

    def __init__(self, root: str | os.PathLike[str], run: str) -> None:
        self.folder = Path(root) / "checkpoints" / run[:16]
        self._run = run

    def publish(
        self, history: Sequence[dict[str, float]], *, save: Callable[[Path], None]
    ) -> Checkpoint:
        """Keep a training durably as it is after `len(history)` epochs.

        `save` writes into the empty folder that it is given. Raises StoreReadOnly or StoreFull.
        """
        final = self.folder / f"{len(history):06}"
        if final.exists():  # a damaged one, or that of another process: both are as good as this
            with explained(final):
                shutil.rmtree(final, ignore_errors=True)
        with publish_folder(final, tmp=self.folder / "tmp") as draft:
            save(draft)
            about = {
                "format": CHECKPOINT_VERSION,
                "run": self._run,
                "history": list(history),
                "sha256": file_digests(draft),
            }
            (draft / _ABOUT).write_text(json.dumps(about))
        for older in self._folders()[:-_KEPT]:
            shutil.rmtree(older, ignore_errors=True)
        return Checkpoint(final, list(history))

    def latest(self) -> Checkpoint | None:
        """Return the newest that is whole; one that is damaged is said, and passed over.

        Raises NewerFormat.
        """
        for folder in reversed(self._folders()):
            try:
                return self._read(folder)
            except NewerFormat:
                raise
            except (OSError, ValueError, KeyError, TypeError) as error:
                log.warning("%s: a damaged checkpoint is passed over: %s", folder, error)
        return None

    def discard(self) -> None:
        """Delete all of them: the run is stored."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _read(self, folder: Path) -> Checkpoint:
        about = json.loads((folder / _ABOUT).read_text())
        if about["format"] > CHECKPOINT_VERSION:
            raise NewerFormat(
                f"{folder}: a checkpoint of format version {about['format']}, this software knows "
                f"up to {CHECKPOINT_VERSION}; update gargalo to go on with it"
            )
        found = {name: digest for name, digest in file_digests(folder).items() if name != _ABOUT}
        if what := damage(folder, dict(about["sha256"]), found):
            raise ValueError(what)
        if about["run"] != self._run or int(folder.name) != len(about["history"]):
            raise ValueError(f"it is that of another training, of run {about['run']}")
        return Checkpoint(folder, list(about["history"]))

    def _folders(self) -> list[Path]:
        return sorted(path for path in self.folder.glob("[0-9]*") if path.is_dir())


def checkpoint_garbage(
    root: str | os.PathLike[str], grace_seconds: float = GRACE_SECONDS
) -> Iterator[Garbage]:
    """Find the checkpoints of runs that are stored, and those that nobody went on with."""
    runs = RunStore(root)
    for folder in sorted(Path(root).glob("checkpoints/*")):
        newest = max((path.stat().st_mtime for path in folder.glob("[0-9]*")), default=0.0)
        if folder.name in runs:
            yield from aged(folder, "checkpoints of a run that is stored", grace_seconds)
        elif time.time() - newest > ABANDONED_SECONDS:
            yield from aged(folder, "checkpoints that nobody went on with", grace_seconds)
