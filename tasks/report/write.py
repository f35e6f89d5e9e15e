"""The report: one HTML file that shows what a data set became, how its heads did, and why."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
from prefect import task

from stores.keys import ImageKey
from stores.manifest import Manifest
from stores.runs.record import Run
from stores.runs.store import RunStore
from stores.storage.publish import publish_file
from tasks.datasets.split_file import split_csv
from tasks.datasets.splits import majority_baseline
from tasks.evaluation.comparison import Evaluated
from tasks.evaluation.duplicate_search import find_near_duplicates, likeness_of
from tasks.evaluation.near_duplicates import NearDuplicates
from tasks.evaluation.selection import Selection, not_counted, place_in_words, selection_of
from tasks.evaluation.split_result import Judged, differences, judge, wilson
from tasks.evaluation.suspect_labels import Suspect, suspects, suspects_csv
from tasks.execution.retries import RETRIED
from tasks.finetune.specification import head_settings, in_words
from tasks.heads import KINDS, find_kind
from tasks.report.candidates import candidates_of, choice_of, features_told
from tasks.report.sweep_sections import all_heads, calibration, map_of
from tasks.report.templating import render
from tasks.training.repeat_commands import Kept, SweepCall, to_repeat, to_repeat_sweep

GRID_IMAGES = 9  # as in the TensorFlow transfer-learning tutorial
MOST_MISTAKES = 12
MOST_SUSPECTS = 12


def write_report(
    *,
    store: Path,
    manifest: Manifest,
    extraction: dict[str, Any],
    runs: Sequence[str],
    chosen: str,
    survey: bool = False,
    duplicates: NearDuplicates | None = None,
    swept: SweepCall | None = None,
) -> Path:
    """Publish the report on one chosen run among its candidates, and return where it lies.

    Beside it lies a table of the suspect labels. With `survey` it shows a map of the images too,
    which takes some seconds. `duplicates` are those of the chosen run's splits or folds; without
    them they are searched for. `swept` is how the sweep was called that trained all these runs.

    `extraction` is the JSON object of the extract flow. Where the test split was not opened with
    the chosen run, the report is about validation and says so. Raises NotInStore, CorruptStore,
    StoreReadOnly or StoreFull.
    """
    stored = RunStore(store)
    run = stored.read(chosen)
    test_keys = manifest.select("test").keys
    path = report_path(store, manifest, run.id)
    told = stored.predictions(run.id)
    held_out = judge(told, split="validation", classes=run.classes, folds=run.folds)
    paths, candidates = _paths(manifest), candidates_of(stored, [*runs, run.id])
    found = suspects(held_out)
    table = path.with_suffix(".suspect-labels.csv")
    publish_file(suspects_csv(found, paths), table, tmp=path.parent / "tmp")
    if duplicates is None:
        duplicates = find_near_duplicates(manifest, run, store=store)
    content = render(
        "report.html.jinja",
        run=run,
        manifest=manifest,
        extraction=extraction,
        recipes=sorted(extraction["recipes"], key=lambda r: r["fingerprint"] != run.fingerprint),
        features_told=features_told(extraction["recipes"]),
        testable=bool(len(test_keys)),
        times_opened=stored.times_opened(test_keys),
        tuning_told=in_words(run.finetuning) if run.finetuning else "",
        head=head_settings(run.head, run.finetuning),
        commands=_commands(run, [one["run"] for one in candidates], manifest, store, swept),
        **_left_out(manifest, extraction),
        survey=map_of(manifest, run, store) if survey else None,
        likeness=likeness_of(duplicates, manifest, run),
        suspects=[_suspect(held_out, manifest, paths, one) for one in found[:MOST_SUSPECTS]],
        suspects_found=len(found),
        likely_errors=sum(one.likely for one in found),
        judged_labels=len(held_out.keys),
        suspects_table=table.name,
        selection=_told(selection_of(stored, run)),
        **_results(run, manifest, told, stored, paths),
        **choice_of(run, candidates),
        **all_heads(stored, run, [candidate["run"] for candidate in candidates]),
    )
    publish_file(content, path, tmp=path.parent / "tmp")
    return path


# Made anew each time: what it shows of files and of other runs changes without its inputs.
report_task = task(name="report", task_run_name="report on {chosen:.16}", **RETRIED)(write_report)


def report_path(store: Path, manifest: Manifest, chosen: str) -> Path:
    """Return where the report on a run of a data set lies."""
    # A file's name takes 255 bytes; a data set's name may come near that.
    name = manifest.name.encode()[:200].decode(errors="ignore")
    return Path(store) / "reports" / f"{name}-{chosen[:16]}.html"


def _results(
    run: Run,
    manifest: Manifest,
    predictions: pa.Table,
    runs: RunStore,
    paths: dict[bytes, str],
) -> dict[str, Any]:
    """Judge the run's predictions, on test where that was opened, else on validation."""
    openings = runs.openings(run.id)
    split: Evaluated = "test" if openings else "validation"
    judged = judge(predictions, split=split, classes=run.classes, folds=run.folds)
    sizes = manifest.counts()
    largest, _ = majority_baseline(sizes)
    kind = str(run.head.get("kind"))
    score_name = find_kind(kind).scores if kind in KINDS else "score"
    shot = partial(_shot, judged, Path(manifest.folder), paths)
    return {
        "calibration": calibration(judged, score_name),
        "judged": judged,
        "openings": openings,
        "interval": wilson(judged.correct, len(judged.keys)),
        "headline": _told(selection_of(runs, run, split)),
        "sizes": sizes,
        "largest": largest,
        "smallest": min(sizes, key=lambda name: sizes[name]["train"]),
        "always": judged.always(largest),
        "differences": differences(predictions, manifest),
        "score_name": score_name,
        "grid": [shot(n) for n in range(min(GRID_IMAGES, len(judged.keys)))],
        "mistakes": [shot(n) for n in judged.mistakes()[:MOST_MISTAKES].tolist()],
    }


def _told(selection: Selection) -> dict[str, Any]:
    """Return a selection for the template, with its words."""
    told = asdict(selection)
    return told | {"place": place_in_words(told), "not_counted": not_counted(told)}


def _commands(
    run: Run,
    candidates: Sequence[Run],
    manifest: Manifest,
    store: Path,
    swept: SweepCall | None,
) -> list[list[str]]:
    """Return what to type to get all of it again; files that it names are put beside the report."""
    path = report_path(store, manifest, run.id)
    kept = Kept(path.with_suffix(".splits.csv"))
    publish_file(split_csv(manifest), kept.splits, tmp=path.parent / "tmp")
    if swept is None:
        return list(to_repeat(run, manifest, store, kept))
    if swept.file is not None:
        kept = Kept(kept.splits, sweep=path.with_suffix(".sweep.toml"))
        publish_file(swept.file, path.with_suffix(".sweep.toml"), tmp=path.parent / "tmp")
    return list(to_repeat_sweep(swept, manifest, candidates, store, kept))


def _left_out(manifest: Manifest, extraction: dict[str, Any]) -> dict[str, Any]:
    """List what is in the folder and in no result, and why; and what is in it twice."""
    summary = manifest.summary()
    twins: dict[ImageKey | None, list[str]] = defaultdict(list)
    for entry in manifest.of_status("accepted"):
        twins[entry.key].append(entry.path)
    rejected = {told["path"]: told for told in (*summary["rejected"], *extraction["rejected"])}
    endings = Counter(PurePosixPath(told["path"]).suffix.lower() for told in summary["ignored"])
    return {
        "rejected": list(rejected.values()),
        "ignored": summary["ignored"],
        "endings": endings.most_common(),
        "remarks": summary["remarks"],
        "remark_counts": summary["remark_counts"],
        "absent": [entry.path for entry in manifest.of_status("absent")],
        "duplicates": [paths for paths in twins.values() if len(paths) > 1],
    }


def _paths(manifest: Manifest) -> dict[bytes, str]:
    images = manifest.select()
    return dict(zip(map(bytes, images.keys), images.paths, strict=True))


def _suspect(
    judged: Judged, manifest: Manifest, paths: dict[bytes, str], suspect: Suspect
) -> dict[str, Any]:
    """Return a suspect label with its image: a cell of the pictures."""
    return _shot(judged, Path(manifest.folder), paths, judged.keys.index(suspect.key))


def _shot(judged: Judged, folder: Path, paths: dict[bytes, str], n: int) -> dict[str, Any]:
    """Return an image with what was said of it: a cell of the grid, or of the mistakes."""
    from tasks.images.thumbnails import placeholder, thumbnail

    path = paths.get(judged.keys[n], "")
    return {
        "path": path,
        "src": thumbnail(folder / path, judged.keys[n]) if path else placeholder("not listed"),
        "true": judged.classes[judged.true[n]],
        "predicted": judged.classes[judged.predicted[n]],
        "score": float(judged.scores[n, judged.predicted[n]]),
        "true_score": float(judged.scores[n, judged.true[n]]),
    }
