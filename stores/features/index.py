"""The index: which shard and row hold which feature. Derived from the shards at any time."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import takewhile
from pathlib import Path

from stores.errors import CorruptStore, StoreError
from stores.features.index_fragments import fragment_bytes, read_fragment
from stores.features.mapped_shards import JoinedShards
from stores.features.recipe import Recipe
from stores.features.shard import Shard, unpack
from stores.storage.location import IRREGULAR, Location

log = logging.getLogger("gargalo.store")


class Index:
    """The shards of one recipe's folder, kept up with what other processes do there.

    Of a folder that is `read_only`, nothing is written there, whoever may write.
    """

    read_only = False

    def __init__(self, folder: Location, recipe: Recipe) -> None:
        self.place = folder
        self.recipe = recipe
        self.changes = 0  # how often a shard came or went
        self.changes_compared = 0  # as many when the shapes of all shards' rows were compared
        self.damaged: dict[str, str] = {}  # digest: reason; out of every answer of this process
        self._shards: dict[str, Shard] = {}
        self._joined: JoinedShards | None = None
        self._changes_joined = 0

    def __iter__(self) -> Iterator[Shard]:
        return iter(self._shards.values())

    @property
    def parts(self) -> "Sequence[Index]":
        """This index and those of the layers; where several have a feature, the first is read."""
        return (self,)

    def holding(self, digest: str) -> "Index":
        """Return the part that a shard is read from."""
        return next((part for part in self.parts if part.has(digest)), self)

    def has(self, digest: str) -> bool:
        """Return whether a shard was taken in."""
        return digest in self._shards

    def shard_place(self, digest: str) -> Location:
        """Where a shard lies."""
        return self.place / "shards" / f"{digest}.h5"

    def local_shard(self, digest: str, *, again: bool = False) -> Path:
        """Where a shard can be read; from an address it is fetched first, or `again`."""
        return self.shard_place(digest).local(sha256=digest, again=again)

    def fragment_place(self, digest: str) -> Location:
        """Where a shard's index fragment lies."""
        return self.place / "index" / f"{digest}.parquet"

    def refresh(self, *, unreadable: dict[str, OSError] | None = None) -> dict[str, str]:
        """Take in what other writers published, drop what is gone; return what is newly damaged.

        A shard that the system cannot read is noted in `unreadable`, or ends it.
        """
        found: dict[str, str] = {}
        (self.place / "index").refresh()
        sizes = shard_sizes(self.place)
        for digest, shard in list(self._shards.items()):
            if sizes.get(digest) != shard.size:
                self.discard(digest)  # a mapping that is longer than its file ends the process
        new = sorted(sizes.keys() - self._shards.keys() - self.damaged.keys())
        for digest in takewhile(lambda _: not self._gives_up(len(found)), new):
            try:
                if sizes[digest] == IRREGULAR:
                    self._unpack(digest)  # it says what is there
                shard = self._load(digest)
                if sizes[digest] != shard.size:
                    raise CorruptStore(  # noqa: TRY301  one handler for all that can be wrong
                        f"shard {digest[:12]}…: the file has {sizes[digest]} bytes, "
                        f"{shard.size} were written"
                    )
                self.add(shard)
            except FileNotFoundError:
                continue  # collected or quarantined by another process just now
            except CorruptStore as error:
                found[digest] = str(error)
            except OSError as error:
                if unreadable is None or error.errno is None:
                    raise
                unreadable[digest] = error
        self.damaged |= found
        return found

    def peek(self) -> Shard | None:
        """Return any one published shard, without taking it or the others in."""
        (self.place / "index").refresh()
        for tried, digest in enumerate(sorted(shard_sizes(self.place))):
            if self._gives_up(tried):
                break
            with suppress(FileNotFoundError, CorruptStore):
                return self._load(digest)
        return None

    def add(self, shard: Shard) -> None:
        """Take in a shard that is known to be whole."""
        self.discard(shard.digest)
        self.damaged.pop(shard.digest, None)
        self._shards[shard.digest] = shard

    def discard(self, digest: str) -> None:
        """Forget a shard."""
        self._shards.pop(digest, None)
        self._joined = None
        self.changes += 1

    @property
    def joined(self) -> JoinedShards:
        """All shards joined; the same object until one comes or goes, and places hold in it."""
        changes = sum(part.changes for part in self.parts)
        if self._joined is None or changes != self._changes_joined:
            if len({(shard.shape, shard.dtype) for part in self.parts for shard in part}) > 1:
                for part in self.parts:
                    part.ask_the_shards()
            self._joined = self._join()
            self._changes_joined = changes
        return self._joined

    def _join(self) -> JoinedShards:
        """Join the shards of all parts, in their order; each is read from the first that has it."""
        held: dict[str, tuple[int, Shard]] = {}
        for rank, part in enumerate(self.parts):
            for shard in part:
                held.setdefault(shard.digest, (rank, shard))
        return JoinedShards(
            [shard for _, shard in held.values()],
            lambda digest: self.parts[held[digest][0]].local_shard(digest),
            rank=lambda digest: held[digest][0],
        )

    def ask_the_shards(self) -> None:
        """Make the fragments again, one of which is wrong: rows of one recipe are alike."""
        log.warning("%s: the index gives rows several shapes; it is made again", self.place)
        for digest in list(self._shards):
            with suppress(FileNotFoundError, CorruptStore):  # the next refresh comes upon it
                self._shards[digest] = self._unpack(digest)
                self.write_fragment(self._shards[digest])

    def _gives_up(self, damaged: int) -> bool:  # noqa: ARG002  for other stores' indexes
        """Return whether so many more shards are damaged that the others are not looked at."""
        return False

    def write_fragment(self, shard: Shard) -> None:
        """Publish a shard's index fragment, if that can be done: it is only a short cut."""
        if self.read_only:
            return
        content = fragment_bytes(shard, self.recipe)
        try:
            self.fragment_place(shard.digest).publish(content, tmp=self.place / "tmp")
        except (OSError, StoreError) as error:  # a caller's rows, too, are stored already
            log.debug("an index fragment is kept in memory only: %s", error)

    def _load(self, digest: str) -> Shard:
        try:
            return self._read_fragment(digest)
        except FileNotFoundError:
            pass  # its writer died between the rename and this, or somebody deleted it
        except (CorruptStore, OSError) as error:
            log.warning("%s; it is made again from its shard", error)
        shard = self._unpack(digest)
        self.write_fragment(shard)
        return shard

    def _unpack(self, digest: str) -> Shard:
        return unpack(self.local_shard(digest), self.recipe)

    def _read_fragment(self, digest: str) -> Shard:
        return read_fragment(self.fragment_place(digest).path, digest, self.recipe)


def shard_sizes(folder: Location) -> dict[str, int]:
    """Return the size in bytes of each published shard of a recipe's folder, by digest."""
    found = (folder / "shards").files(".h5")
    return {name.removesuffix(".h5"): about.size for name, about in found.items()}
