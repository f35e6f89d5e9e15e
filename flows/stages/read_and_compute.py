"""Ingest and extraction of a folder's new files as one: each is read and decoded once.

Features are kept by content, so that they need neither labels nor splits: they are computed as the
files are read, and the data set is made of what was found. A user's mistakes are found before, on
the data set as it is going to be if each file can be used.
"""

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from flows.ingest import announce_unpacking, summarized
from flows.parameters.features import ComputeParameters
from flows.stages.compute import job_for, shards_by
from flows.summaries.stores import IngestSummary
from stores.keys import in_one_piece
from stores.manifest import Manifest
from stores.manifest_rows import SCHEMA, filtered, set_column
from stores.storage.repeated_values import RepeatedValues
from tasks.datasets.ingest import ingest_task, read_keys_task
from tasks.datasets.known_files import ReadAhead
from tasks.datasets.made_dataset import Rules, assumed_dataset
from tasks.datasets.seen_folder import IngestRequest, Seen, see_task
from tasks.errors import InputError
from tasks.execution.steps import quote
from tasks.features.accounting import NOTHING_YET, Begun
from tasks.features.engines import Job
from tasks.features.engines.choice import choose_engine
from tasks.features.extract import Extraction, compute_new
from tasks.features.new_files import NewFiles
from tasks.features.version_check import made_by_others

Check = Callable[[Manifest], None]


@dataclass(frozen=True)
class _Plan:
    """Files to read and compute at once."""

    manifest: Manifest  # as it is going to be; with rows only where versions are compared
    files: pa.Table  # path and stamp
    listed_ns: int
    job: Job

    @property
    def new_files(self) -> NewFiles:
        """The files, for a command of its own."""
        paths = in_one_piece(self.files["path"])
        return NewFiles(paths, self.manifest.orientation, uuid.uuid4().hex)


def ingest_and_compute_stage(
    folder: Path,
    parameters: ComputeParameters,
    *,
    needs_labels: bool = True,
    check: Check = lambda _: None,
) -> tuple[Manifest, IngestSummary, Begun]:
    """Bring the data set of a folder up to date, and compute features of new files meanwhile.

    `check` raises InputError for a data set that is of no use. Returns its manifest, a summary, and
    what was computed so far.
    """
    announce_unpacking(folder, parameters)
    request = parameters.asked(folder, needs_labels=needs_labels)
    plan = _planned(request, parameters, check)
    if isinstance(plan, Seen):
        return *summarized(ingest_task(quote(request), seen=quote(plan))), NOTHING_YET
    began = time.perf_counter()
    done = compute_new(
        plan.manifest,
        plan.new_files,
        plan.job,
        shards=shards_by(parameters.where),
        batch_size=parameters.batch_size,
        shard_size=parameters.shard_size,
    )
    seconds = time.perf_counter() - began
    ahead = _read_ahead(plan, done)
    done = done.without_results()
    del plan
    manifest, summary = summarized(ingest_task(quote(request), ahead=quote(ahead)))
    return manifest, summary, Begun.of(done, ahead.rows, manifest, seconds)


def _planned(request: IngestRequest, parameters: ComputeParameters, check: Check) -> _Plan | Seen:
    """Return what is to be read and computed at once; the folder as it was seen where nothing is.

    Where the data set that is expected has a mistake, its files may have it: they are examined
    first, and tell it.
    """
    seen = see_task(quote(request))
    if not len(unread := seen.unread()):
        return seen
    try:
        rules = Rules.of(request)
        keys = read_keys_task(quote(seen)) if rules.by_keys else None
        manifest = assumed_dataset(seen, rules, keys)
        check(manifest)
        files = _to_compute(unread, manifest)
        job = job_for(parameters, manifest)
        if made_by_others(choose_engine(job, len(unread))):
            if keys is None:
                # To compare versions, as is done before anything is computed, takes the keys.
                manifest = assumed_dataset(seen, rules, read_keys_task(quote(seen)))
                files = _to_compute(unread, manifest)
        else:  # of millions of files there is no room for what is not needed any more
            manifest = replace(manifest, rows=SCHEMA.empty_table())
    except InputError:
        return seen
    return _Plan(manifest, files, seen.started_ns, job) if len(files) else seen


def _to_compute(unread: pa.Table, manifest: Manifest) -> pa.Table:
    accepted = manifest.of_status("accepted", columns=("path",))["path"].combine_chunks()
    return filtered(unread, pc.is_in(unread["path"], accepted)).combine_chunks()


def _read_ahead(plan: _Plan, done: Extraction) -> ReadAhead:
    """Return the results of the files, with their stamps as they were before they were read."""
    repeated = RepeatedValues()  # nearly all are accepted, without a remark
    parts = [shard.examined for shard in done.shards if shard.examined is not None]
    for name in ("status", "reason"):
        parts = [set_column(part, name, repeated.shared(part[name])) for part in parts]
    rows = pa.concat_tables(parts)
    for name in plan.files.column_names:
        rows = rows.append_column(name, plan.files[name])
    return ReadAhead(rows, plan.listed_ns, plan.manifest.orientation)
