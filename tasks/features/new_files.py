"""New files, read once: checked for their data set, and decoded for their features.

What comes of each is the same as by `examine`. Where that has to decode a file to find it whole,
the decoding is the one for its features.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from stores.features.recipe import Recipe
from stores.keys import ImageKey, as_keys
from stores.orientation import Orientation
from tasks.errors import InputError
from tasks.features.claims import Claim, Claims, claims_on
from tasks.features.engines import Job
from tasks.images.batches_ahead import batches_ahead
from tasks.images.image_check import Examined, Whole, examine_whole, read_whole
from tasks.images.pixel_batches import ImageFile, PixelBatch, Read, decoded_batch


@dataclass(frozen=True)
class NewFiles:
    """Files that were not read yet, how they are used, and the command that asks for them."""

    paths: pa.StringArray  # relative to the data set's folder
    orientation: Orientation
    command: str  # a name of its own: what one command has claimed does not concern another

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, chosen: slice) -> "NewFiles":
        # By `take`: a slice of Arrow's is sent to another process with all that it is cut from.
        return replace(self, paths=self.paths.take(pa.array(np.arange(len(self))[chosen])))


@contextmanager
def new_batches(
    files: NewFiles, folder: Path, job: Job, *, batch_size: int
) -> Iterator[Iterator[PixelBatch]]:
    """Yield an iterator over batches of new files, each with what the check of its files came to.

    Decoded are the images without a feature of any of the job's recipes, each once. Where the
    block fails, whoever comes next may compute them.
    """
    claims = claims_on(job, files.command)
    with ThreadPoolExecutor(thread_name_prefix="read") as pool:
        reader = _Reader(folder, job.recipes[0], files.orientation, claims, pool)

        def load(part: slice) -> PixelBatch:
            return reader.load(files[part].paths.to_pylist())

        try:
            with batches_ahead(load, len(files), batch_size=batch_size) as batches:
                yield batches
        except BaseException:
            claims.give_up(as_keys(reader.ours))
            raise


@dataclass
class _Reader:
    """Reads, checks and decodes files for one shard."""

    folder: Path
    recipe: Recipe
    orientation: Orientation
    claims: Claims
    pool: ThreadPoolExecutor
    ours: list[ImageKey] = field(default_factory=list)

    def load(self, paths: list[str]) -> PixelBatch:
        """Return a batch of those that are to be computed, and the results of all."""
        found = list(self.pool.map(self._read, paths))
        whole = {n: file for n, file in enumerate(found) if isinstance(file, Whole)}
        made = self.claims.claim(as_keys(file.key for file in whole.values()))
        claims = dict(zip(whole, made.tolist(), strict=True))
        self.ours += [file.key for n, file in whole.items() if claims[n] == Claim.OURS]

        def result(n: int) -> Examined:
            file = found[n]
            if isinstance(file, Examined):
                return file
            return examine_whole(file, decodes=claims[n] != Claim.TAKEN)

        results = list(self.pool.map(result, range(len(found))))
        computed = {
            n: file
            for n, file in whole.items()
            if claims[n] == Claim.OURS and results[n].status == "accepted"
        }
        batch = self._decoded({paths[n]: file for n, file in computed.items()})
        decoded = {image.path for image in batch.images}
        for n, file in computed.items():
            if paths[n] not in decoded:
                results[n] = examine_whole(file)
        return replace(batch, rejected=[], examined=tuple(results))

    def _read(self, path: str) -> Whole | Examined:
        return read_whole(self.folder / path, self.orientation)

    def _decoded(self, files: dict[str, Whole]) -> PixelBatch:
        read = [
            (ImageFile(file.key, path), Read(file.content, file.turn))
            for path, file in files.items()
        ]
        try:
            return decoded_batch(read, self.recipe)
        except InputError:  # one does not fit the recipe: who needs its feature says so
            return decoded_batch([], self.recipe)
