"""The index of a store with layers: its own shards first, then those that are only read."""

import hashlib
import json
import logging
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from stores.errors import CorruptStore, NewerFormat, StoreError
from stores.features.index import Index
from stores.features.read_only_index import ReadOnlyIndex
from stores.features.recipe import Recipe, write_recipe
from stores.features.shard import Shard
from stores.storage.json_files import ABSURD, read_object
from stores.storage.location import Found, Location
from stores.storage.safe_files import is_folder

log = logging.getLogger("gargalo.store")

# Where more are damaged than whole, as many are looked at: of a layer anybody may have made it.
_MOST_DAMAGED = 100
_MANY = "many"  # stands for a digest in the name of a file that remembers several


class LayerIndex(ReadOnlyIndex):
    """The shards of one recipe in another store. What is damaged there is remembered in one's own.

    `own` is the recipe's folder in one's own store.
    """

    store = "a layer"

    def __init__(self, root: Location, own: Location, recipe: Recipe) -> None:
        super().__init__(root / "features" / own.name, recipe)
        self._root = root
        self._skipped = own / "skipped"
        self._mark = hashlib.sha256(str(root).encode()).hexdigest()[:8]
        self._told: set[str] = set()

    def refresh(self, *, unreadable: dict[str, OSError] | None = None) -> dict[str, str]:
        """As for any index; but a layer that cannot be read is said, and is none."""
        try:
            (self.place / "index").refresh()  # of an address there is a folder from now on
            _check_mounted(self._root.path)
            self._recall()
            found = super().refresh(unreadable=unreadable)
            return self._told_at_once(found) if self._gives_up(0) else found
        except (OSError, NewerFormat) as error:
            self._tell("a layer", error)
            for shard in list(self):
                self.discard(shard.digest)
            return {}

    def peek(self) -> Shard | None:
        """As for any index; but a layer that cannot be read is said, and has none."""
        try:
            return super().peek()
        except (OSError, NewerFormat) as error:
            self._tell("a layer", error)
            return None

    def skip(self, digest: str, reason: str) -> None:
        """Remember, durably, not to read a shard again while its file is the same."""
        try:
            stamp = self._stamp(digest, self._shards_there())
        except OSError:
            return  # it was set aside there just now; or it cannot be reached, and is found again
        self._remember(digest, {"reason": reason, "stamp": stamp})

    def _told_at_once(self, reasons: dict[str, str]) -> dict[str, str]:
        """Say once of many shards that they are damaged, remember them if that can be done."""
        wrong = f"{self.place}: of its shards more than {_MOST_DAMAGED} are damaged"
        self._tell("what is left of a layer", CorruptStore(f"{wrong}, and fewer are whole"))
        shards = {}
        with suppress(OSError):
            there = self._shards_there()
            for digest, reason in reasons.items():
                if f"{digest}.h5" in there:
                    shards[digest] = {"reason": reason, "stamp": self._stamp(digest, there)}
        if len(shards) > 1:  # of those that were remembered before one more is found each time
            with suppress(StoreError, OSError):
                self._remember(_MANY, {"shards": shards})
        return {}

    def _remember(self, name: str, about: dict[str, Any]) -> None:
        write_recipe(self.recipe, self._skipped.parent)
        place = self._skipped / f"{name}-{self._mark}.json"
        content = json.dumps({"layer": str(self._root)} | about, indent=2).encode()
        place.publish(content, tmp=self._skipped.parent / "tmp")

    def _gives_up(self, damaged: int) -> bool:
        damaged += len(self.damaged)
        return damaged > _MOST_DAMAGED and damaged > len(self._shards)

    def _tell(self, what: str, error: Exception) -> None:
        if what not in self._told:  # of many that are alike the first
            log.warning("%s is passed over: %s", what, error)
        self._told.add(what)

    def _recall(self) -> None:
        ending = f"-{self._mark}.json"
        marks = self._skipped.files(ending)
        there = self._shards_there() if marks else {}
        for file in marks:
            digest = file.partition("-")[0]
            with suppress(OSError, *ABSURD):  # then it is found out again
                about = read_object((self._skipped / file).path)
                for name, mark in (about["shards"] if digest == _MANY else {digest: about}).items():
                    # Earlier versions wrote the time as a number.
                    if [*map(str, mark["stamp"])] == [*map(str, self._stamp(name, there))]:
                        if self.has(name):
                            self.discard(name)
                        self.damaged.setdefault(name, str(mark["reason"]))

    def _stamp(self, digest: str, there: dict[str, Found]) -> list[int | str]:
        """Return what changes with a shard's file, there where the layer is."""
        if (about := there.get(f"{digest}.h5")) is None:
            raise FileNotFoundError(self.shard_place(digest).path)
        return [about.size, about.stamp]

    def _shards_there(self) -> dict[str, Found]:
        return (self.place / "shards").files(".h5")


class LayeredIndex(Index):
    """A store's own index, which alone is written to; `joined` holds the layers' shards too."""

    def __init__(self, folder: Location, recipe: Recipe, layers: Sequence[Location]) -> None:
        super().__init__(folder, recipe)
        self._layers = [LayerIndex(layer, folder, recipe) for layer in layers]

    @property
    def parts(self) -> Sequence[Index]:
        """This index and those of the layers; where several have a feature, the first is read."""
        return (self, *self._layers)

    def peek(self) -> Shard | None:
        """Return any one published shard, without taking it or the others in."""
        own = super().peek()
        return own or next(filter(None, (layer.peek() for layer in self._layers)), None)


def _check_mounted(root: Path) -> None:
    """Raise FileNotFoundError where the folder of a store is gone, or empty."""
    if not is_folder(root):
        raise FileNotFoundError(f"{root}: there is no such folder")
    if not any(root.iterdir()):  # it is waited for, or a mount is gone
        raise FileNotFoundError(f"{root}: the folder is empty")


def index_of(folder: Location, recipe: Recipe, layers: Sequence[Location]) -> Index:
    """Return the index of a recipe's folder, over those of the layers."""
    return LayeredIndex(folder, recipe, layers) if layers else Index(folder, recipe)
