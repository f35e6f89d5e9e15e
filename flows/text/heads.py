"""What the command line says at the end of what trains heads, and of runs, for people."""

import json
import textwrap
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from flows.cli.terminal import with_visible_names
from flows.text.near_duplicates import tell_leaks
from flows.text.stores import lines_of, many, tell_extract, tell_ingest
from tasks.evaluation.selection import expected_in_words
from tasks.finetune.specification import head_settings, in_words
from tasks.report.leaderboard import differences, is_setting, settings_in

MOST_HEADS = 10


@with_visible_names
def tell_train(summary: dict[str, Any]) -> str:
    """Say how each head did, and which was chosen."""
    by = _measured_by(summary["folds"])
    lines = [f"heads on {summary['dataset']}, chosen on {by}:", *_remarked(summary)]
    for run in summary["runs"]:
        mark = "*" if run["run"] == summary["run"] else " "
        cached = " (cached)" if run["cached"] else ""
        told = run["failure"] or (
            f"train {run['train_accuracy']:.4f}  {by} {run['validation_accuracy']:.4f}"
        )
        lines.append(f"{mark} {run['head']:14} {told}  run {run['run'][:16]}{cached}")
    told = [*_expected(summary), *_tested(summary), *tell_leaks(summary)]
    return "\n".join([*lines, *told])


@with_visible_names
def tell_pipeline(summary: dict[str, Any]) -> str:
    """Say what each stage did, and where the report is."""
    known = summary["ingest"]["rejected"]
    new = [file for file in summary["extract"]["rejected"] if file not in known]
    parts = [
        *textwrap.wrap(summary["about"], 100),
        tell_ingest(summary["ingest"]),
        tell_extract(summary["extract"] | {"rejected": new, "notes": []}),
        tell_train(summary["train"]),
        f"report: {summary['report']}",
    ]
    return "\n".join(parts)


@with_visible_names
def tell_sweep(summary: dict[str, Any]) -> str:
    """Say which heads are best, which was chosen, and what that choice is worth."""
    runs = [run for run in summary["runs"] if not run["failure"]]
    failed = [run for run in summary["runs"] if run["failure"]]
    by = _measured_by(summary["folds"])
    alike = summary["trials"] - len(summary["runs"])
    repeated = f" ({many(summary['trials'], 'trial')}, of which {alike} repeated others)"
    lines = [
        f"sweep on {summary['dataset']}: {many(len(summary['runs']), 'head')}"
        f"{repeated if alike else ''}, "
        f"{summary['trained']} trained, {summary['cached']} cached, {summary['failed']} failed",
        *_remarked(summary),
    ]
    differ = differences(
        (run["run"], run["specification"]["kind"], settings_in(run)) for run in runs
    )
    for run in runs[:MOST_HEADS]:
        mark = "*" if run["run"] == summary["run"] else " "
        about = f"{run['specification']['kind']:9} {differ[run['run']]}".rstrip()
        lines.append(
            f"{mark} {by} {run['metrics']['validation_accuracy']:.4f}  run {run['run'][:16]}  "
            f"{about}"
        )
    if len(runs) > MOST_HEADS:
        lines.append(f"  and {len(runs) - MOST_HEADS} more: python -m flows.runs list")
    lines += [f"  failed: {run['run'][:16]}: {run['failure']}" for run in failed[:MOST_HEADS]]
    lines.append(f"chosen by {by}: {summary['head']}, {summary['validation_accuracy']:.4f}")
    lines += [*_expected(summary), *_tested(summary), *tell_leaks(summary)]
    lines.append(f"report: {summary['report']}")
    return "\n".join(lines)


def _measured_by(folds: int, seed: int = 0) -> str:
    dealt = f" of seed {seed}" if seed else ""
    return f"{many(folds, 'fold')}{dealt}" if folds else "validation"


def _remarked(summary: dict[str, Any]) -> Iterator[str]:
    yield from (f"  note: {remark}" for remark in summary["remarks"])


def _expected(summary: dict[str, Any]) -> Iterator[str]:
    """Yield what a chosen accuracy is worth, where there was a choice."""
    if summary["selection"]:
        yield f"  {expected_in_words(summary['selection'])}"


def _tested(summary: dict[str, Any]) -> Iterator[str]:
    if summary["test_accuracy"] is not None:
        yield (
            f"test accuracy of {summary['head']}: {summary['test_accuracy']:.4f} "
            f"({many(summary['test_openings'], 'test evaluation')} over all runs)"
        )


@with_visible_names
def tell_finetune(summary: dict[str, Any]) -> str:
    """Say what became of a run by fine-tuning, and whether that may be chance."""
    tuning = summary["finetuning"]
    cached = " (cached)" if summary["cached"] else ""
    told = in_words(tuning) if tuning else "nothing: features are what the run's head learned from"
    size = "×".join(map(str, summary["image_size"]))
    of = f"{summary['dataset']}, {size} pixels, seed {summary['seed']}"
    lines = [f"fine-tuning on {of}{cached}: {told}"]
    start = f"run {summary['started_from'][:16]}"
    lines.append(f"  started from   validation {summary['started_from_accuracy']:.4f}  {start}")
    if summary["failure"]:
        lines.append(f"  failed: {summary['failure']}  run {summary['run'][:16]}")
    elif summary["comparison"]:
        lines.append(
            f"* fine-tuned     validation {summary['validation_accuracy']:.4f}  train "
            f"{summary['train_accuracy']:.4f}  run {summary['run'][:16]}"
        )
        lines.append(f"  {_verdict(summary['comparison'])}")
    lines += [*_expected(summary), *_tested(summary), *tell_leaks(summary)]
    lines.append(f"report: {summary['report']}")
    return "\n".join(lines)


@with_visible_names
def tell_runs(summary: dict[str, Any]) -> str:
    """Say what an action on the runs found or did."""
    told: dict[str, Callable[[dict[str, Any]], str]] = {
        "list": _tell_leaderboard,
        "show": lambda s: lines_of(_told_run(s["run"])),
        "compare": _tell_comparison,
        "export": lambda s: f"{many(s['runs'], 'run')} in {s['file']}",
    }
    return told[summary["action"]](summary)


def _tell_leaderboard(summary: dict[str, Any]) -> str:
    """Say which runs are best: of each data set by itself, for only these can be compared."""
    groups: dict[tuple[str, str, int, int], list[dict[str, Any]]] = defaultdict(list)
    for run in summary["runs"]:
        folds = run["folds"], run.get("fold_seed", 0)
        groups[run["dataset"], run["dataset_digest"], *folds].append(run)
    lines: list[str] = []
    for (dataset, digest, count, seed), runs in groups.items():
        others = {other for name, other, *_ in groups if name == dataset} - {digest}
        which = f" (as it was with digest {digest[:8]})" if others else ""
        lines.append(f"{dataset}{which}, {many(len(runs), 'run')}, by {_measured_by(count, seed)}:")
        lines += _ranked(runs, limit=summary["limit"], sort_by=summary["sort_by"])
        if len(runs) > summary["limit"]:
            more = len(runs) - summary["limit"]
            lines.append(f"  and {more} more: --limit {len(runs)}, or export FILE")
    if any((run.get("runs_tried") or 1) > 1 for run in summary["runs"]):
        lines.append(
            "expected: the accuracy corrected for selection among all runs tried on the same "
            "images; with its interval: python -m flows.runs show RUN"
        )
    if any(sum(bool(run.get("test_openings")) for run in runs) > 1 for runs in groups.values()):
        lines.append("test: whoever chooses by it should open it with one run only")
    return lines_of(lines)


def _ranked(runs: list[dict[str, Any]], *, limit: int, sort_by: str) -> Iterator[str]:
    titles = {"validation_accuracy": "accuracy", "expected_accuracy": "expected"}
    titles["test_accuracy"] = "test"
    titles.setdefault(sort_by, sort_by)
    width = {name: max(8, len(title)) for name, title in titles.items()}
    columns = "".join(f"  {title:>{width[name]}}" for name, title in titles.items())
    yield f"  {'run':16}  {'head':9}{columns}  settings that differ"
    differ = differences(
        (run["run"], run["head"], {name: run[name] for name in run if is_setting(name)})
        for run in runs
    )
    for run in runs[:limit]:
        told = "".join(
            f"  {'–' if run.get(name) is None else format(run[name], '.4f'):>{width[name]}}"
            for name in titles
        )
        failed = f"failed: {run['failure']}" if run["failure"] else ""
        about = ", ".join(filter(None, [differ[run["run"]], failed]))
        yield f"  {run['run'][:16]}  {run['head']:9}{told}  {about}".rstrip()


def _told_run(run: dict[str, Any]) -> Iterator[str]:
    folds = f", {_measured_by(run['folds'], run['fold_seed'])}" if run["folds"] else ""
    yield f"run {run['id']}: {run['head']['kind']} on {run['dataset']}{folds}, {run['created']}"
    yield f"  head {json.dumps(head_settings(run['head'], run['finetuning']))}, seed {run['seed']}"
    if tuning := run["finetuning"]:
        yield f"  fine-tuned from run {tuning['started_from'][:16]}: {in_words(tuning)}"
    if run["failure"]:
        yield f"  failed: {run['failure']}"
        return
    yield "  " + ", ".join(f"{name} {value:.4f}" for name, value in run["metrics"].items())
    low, high = run["interval"]
    yield (
        f"  accuracy on {many(run['images'], 'image')} of {run['judged_on']}: "
        f"{run['accuracy']:.4f} ({low:.4f} to {high:.4f}, 95%)"
    )
    if run["selection"]["tried"] > 1:
        yield f"  {expected_in_words(run['selection'])}"
    for row in run["per_class"]:
        recall, precision = (
            "–" if row[n] is None else f"{row[n]:.4f}" for n in ("recall", "precision")
        )
        yield f"  {row['name'][:20]:20} {row['images']:6}  recall {recall}  precision {precision}"
    for opening in run["openings"]:
        told = ", ".join(f"{name} {value:.4f}" for name, value in opening["metrics"].items())
        yield f"  test evaluation of {opening['opened']} by {opening['asked_by']}: {told}"


def _tell_comparison(summary: dict[str, Any]) -> str:
    first, second = summary["runs"]
    lines = [
        f"{n}: run {run['run'][:16]}, {run['head']['kind']}, accuracy {run['accuracy']:.4f}"
        for n, run in (("first", first), ("second", second))
    ]
    lines.append(
        f"of {many(summary['images'], 'image')}, only the first has {summary['only_first']} right "
        f"and only the second {summary['only_second']}"
    )
    lines.append(f"second minus first: {_verdict(summary)}")
    return "\n".join(lines)


def _verdict(comparison: dict[str, Any]) -> str:
    verdict = "they differ" if comparison["corrected_p_value"] < 0.05 else "that may be chance"
    corrected = ""
    if comparison["comparisons"] > 1:
        low, high = comparison["corrected_low"], comparison["corrected_high"]
        corrected = (
            f"; corrected for {comparison['comparisons']:,} comparisons of the "
            f"{comparison['tried']:,} runs tried (Bonferroni): {low:+.4f} to {high:+.4f}, "
            f"p = {comparison['corrected_p_value']:.3g}"
        )
    return (
        f"{comparison['difference']:+.4f} ({comparison['low']:+.4f} to {comparison['high']:+.4f}, "
        f"95%), McNemar's p = {comparison['p_value']:.3g}{corrected}: {verdict}"
    )
