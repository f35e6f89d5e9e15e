"""The index of a recipe in a store of others: what cannot be read of it costs itself alone."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from stores.errors import NewerFormat
from stores.features.index import Index
from stores.features.recipe import Recipe
from stores.features.shard import Shard
from stores.storage.location import Location
from stores.storage.safe_files import IrregularFile, open_regular


class ReadOnlyIndex(Index):
    """The shards of one recipe in a folder where nothing is written, whoever may write.

    `passed_over` has, by its digest, why a shard that may be whole was not taken in.
    """

    read_only = True
    store = "another store"  # what the folder is of, in messages

    def __init__(self, folder: Location, recipe: Recipe) -> None:
        super().__init__(folder, recipe)
        self.passed_over: dict[str, OSError | NewerFormat | IrregularFile] = {}

    def local_shard(self, digest: str, *, again: bool = False) -> Path:
        """As for any index; but one that cannot be opened is as good as gone, until it can."""
        path = super().local_shard(digest, again=again)
        try:
            with self._passed_over("a shard", digest), open_regular(path):
                return path
        except FileNotFoundError:
            self.discard(digest)
            raise

    def _load(self, digest: str) -> Shard:
        with self._passed_over("a shard", digest):
            # Its fragment alone must not promise it. At an address it is not here yet.
            with suppress(FileNotFoundError), open_regular(self.shard_place(digest).path):
                pass
            shard = super()._load(digest)
        self.passed_over.pop(digest, None)  # of which the index fragment alone could not be read
        return shard

    def _read_fragment(self, digest: str) -> Shard:
        with self._passed_over("an index fragment", digest):
            return super()._read_fragment(digest)

    def _unpack(self, digest: str) -> Shard:
        with self._passed_over("a shard", digest):
            try:
                return super()._unpack(digest)
            except NewerFormat as error:
                self.discard(digest)
                self.damaged[digest] = str(error)  # this software will not come to know it
                raise

    @contextmanager
    def _passed_over(self, what: str, digest: str) -> Iterator[None]:
        """Take what cannot be read, but may be whole, as not there; it is tried again next time."""
        try:
            yield
        except FileNotFoundError:
            raise
        except (OSError, NewerFormat, IrregularFile) as error:
            self.passed_over[digest] = error
            self._tell(f"{what} of {self.store}", error)
            raise FileNotFoundError(str(error)) from error

    def _tell(self, what: str, error: Exception) -> None:
        """Say what is passed over, where that is to be said at once."""
