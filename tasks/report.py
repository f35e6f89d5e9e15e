"""The report: one HTML file that shows what a data set became, how its heads did, and why."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
from prefect import task

from stores.keys import ImageKey
from stores.manifest import Manifest, Split
from stores.publish import publish_file
from stores.run import Run, TestOpening
from stores.runs import RunStore
from tasks.finetune.specification import in_words, settings_told
from tasks.heads import KINDS, find_kind
from tasks.judged import Judged, differences, judge, wilson
from tasks.lab import all_heads, calibration, likeness_of, map_of
from tasks.page import render
from tasks.repeat import command_line
from tasks.retrying import RETRIED
from tasks.splits import majority
from tasks.suspects import Suspect, suspects, suspects_csv

GRID_IMAGES = 9  # as in the TensorFlow transfer-learning tutorial
MOST_MISTAKES = 12
MOST_SUSPECTS = 12
MOST_HEADS = 15  # those of a large sweep that are not folded away
_FEATURES = ("backbone", "image_size", "tap", "pooling", "compute_precision", "dtype")
MOST_CURVES = 5  # heads whose learning curves are drawn


def write_report(
    *,
    store: Path,
    manifest: Manifest,
    extraction: dict[str, Any],
    runs: Sequence[str],
    chosen: str,
    survey: bool = False,
) -> Path:
    """Publish the report on one chosen run among its candidates, and return where it lies.

    Beside it lies a table of the suspect labels. With `survey` it shows a map of the images too,
    which takes some seconds.

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
    paths, candidates = _paths(manifest), _candidates(stored, [*runs, run.id])
    found = suspects(held_out)
    table = path.with_suffix(".suspect-labels.csv")
    publish_file(suspects_csv(found, paths), table, tmp=path.parent / "tmp")
    content = render(
        "report.html.jinja",
        run=run,
        manifest=manifest,
        extraction=extraction,
        recipes=sorted(extraction["recipes"], key=lambda r: r["fingerprint"] != run.fingerprint),
        features_told=_features_told(extraction["recipes"]),
        testable=bool(len(test_keys)),
        times_opened=stored.times_opened(test_keys),
        tuning_told=in_words(run.finetuning) if run.finetuning else "",
        command=command_line(run, manifest, store, opened=bool(stored.openings(run.id))),
        **_left_out(manifest, extraction),
        survey=map_of(manifest, run, store) if survey else None,
        likeness=likeness_of(manifest, run, store),
        suspects=[_suspect(held_out, manifest, paths, one) for one in found[:MOST_SUSPECTS]],
        suspects_found=len(found),
        likely_errors=sum(one.likely for one in found),
        judged_labels=len(held_out.keys),
        suspects_table=table.name,
        **_results(run, manifest, told, stored.openings(run.id), paths),
        **_choice(run, candidates),
        **all_heads(stored, run, [candidate["run"] for candidate in candidates]),
    )
    publish_file(content, path, tmp=path.parent / "tmp")
    return path


# Made anew each time: what it shows of files and of other runs changes without its inputs.
report_task = task(name="report", **RETRIED)(write_report)


def report_path(store: Path, manifest: Manifest, chosen: str) -> Path:
    """Return where the report on a run of a data set lies."""
    # A file's name takes 255 bytes; a data set's name may come near that.
    name = manifest.name.encode()[:200].decode(errors="ignore")
    return Path(store) / "reports" / f"{name}-{chosen[:16]}.html"


def _results(
    run: Run,
    manifest: Manifest,
    predictions: pa.Table,
    openings: Sequence[TestOpening],
    paths: dict[bytes, str],
) -> dict[str, Any]:
    """Judge the run's predictions, on test where that was opened, else on validation."""
    split: Split = "test" if openings else "validation"
    judged = judge(predictions, split=split, classes=run.classes, folds=run.folds)
    sizes = manifest.counts()
    largest, _ = majority(sizes)
    kind = str(run.head.get("kind"))
    score_name = find_kind(kind).scores if kind in KINDS else "score"
    shot = partial(_shot, judged, Path(manifest.folder), paths)
    return {
        "calibration": calibration(judged, score_name),
        "judged": judged,
        "openings": openings,
        "recorded": openings[-1].metrics.get("test_accuracy") if openings else None,
        "interval": wilson(judged.correct, len(judged.keys)),
        "sizes": sizes,
        "largest": largest,
        "smallest": min(sizes, key=lambda name: sizes[name]["train"]),
        "always": judged.always(largest),
        "differences": differences(predictions, manifest),
        "score_name": score_name,
        "grid": [shot(n) for n in range(min(GRID_IMAGES, len(judged.keys)))],
        "mistakes": [shot(n) for n in judged.mistakes()[:MOST_MISTAKES].tolist()],
    }


def _head_name(run: Run) -> str:
    """Return what the user called the head (a preset, perhaps), or else its kind."""
    asked = run.parameters.get("head")
    name = asked if isinstance(asked, str) else str(run.head.get("kind", "head"))
    return f"{name}, fine-tuned" if run.finetuning else name


def _candidates(stored: RunStore, runs: Iterable[str]) -> list[dict[str, Any]]:
    """Read each candidate once, and put the best on validation first."""
    read = {run.id: run for run in map(stored.read, runs)}.values()
    told = _told_apart(read)
    candidates = [
        {
            "run": run,
            "name": _head_name(run),
            "about": told[run.id],
            "train": run.metrics.get("train_accuracy"),
            "validation": run.metrics.get("validation_accuracy"),
            "history": stored.history(run.id),
            "openings": len(stored.openings(run.id)),
        }
        for run in read
    ]
    return sorted(candidates, key=lambda c: -1 if c["validation"] is None else -c["validation"])


def _told_apart(runs: Iterable[Run]) -> dict[str, dict[str, Any]]:
    """Return the settings of each run's head: of several of a kind, those in which they differ."""
    settings = {
        run.id: {"kind": "fine-tuned", "seed": run.seed, **settings_told(run.finetuning)}
        if run.finetuning
        else {**run.head, "seed": run.seed}
        for run in runs
    }
    told = {}
    for run, mine in settings.items():
        others = [other for other in settings.values() if other["kind"] == mine["kind"]]
        several = len(others) > 1
        told[run] = {
            name: value
            for name, value in mine.items()
            if value not in (None, False, [])
            and name not in ({"kind"} if several else {"kind", "version", "seed"})
            and not (several and all(other.get(name) == value for other in others))
        }
    return told


def _features_told(recipes: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Return what tells each recipe's features from the others', by fingerprint."""
    told = {entry["fingerprint"]: {n: entry["recipe"][n] for n in _FEATURES} for entry in recipes}
    return {
        fingerprint: ", ".join(
            "×".join(map(str, value)) if isinstance(value, list) else str(value)
            for name, value in features.items()
            if name == "tap" or any(other[name] != value for other in told.values())
        )
        for fingerprint, features in told.items()
    }


def _choice(run: Run, candidates: list[dict[str, Any]]) -> dict[str, Any]:
    """Draw the learning curves, those of the chosen run first, and note a better candidate."""
    from tasks.charts import learning_curves

    drawn = sorted(
        (candidate for candidate in candidates if len(candidate["history"])),
        key=lambda candidate: candidate["run"].id != run.id,
    )
    mine = next(candidate for candidate in candidates if candidate["run"].id == run.id)
    best, rest = candidates[:MOST_HEADS], candidates[MOST_HEADS:]
    return {
        "candidates": candidates,
        "chosen": mine,
        "shown": [*best, *(other for other in rest if other is mine)],
        "others": [other for other in rest if other is not mine],
        "curves": [
            (
                candidate,
                learning_curves(
                    candidate["history"],
                    salt=candidate["run"].id[:16],
                    tuned=candidate["run"].finetuning.get("epochs", 0),
                ),
            )
            for candidate in drawn[:MOST_CURVES]
        ],
        "with_epochs": len(drawn),
        "without_epochs": [c for c in candidates if not len(c["history"])],
    }


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
    from tasks.pictures import placeholder, thumbnail

    path = paths.get(judged.keys[n], "")
    return {
        "path": path,
        "src": thumbnail(folder / path, judged.keys[n]) if path else placeholder("not listed"),
        "true": judged.classes[judged.true[n]],
        "predicted": judged.classes[judged.predicted[n]],
        "score": float(judged.scores[n, judged.predicted[n]]),
        "true_score": float(judged.scores[n, judged.true[n]]),
    }
