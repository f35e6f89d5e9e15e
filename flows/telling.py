"""What the command line says at the end of a flow, for people."""

import json
import textwrap
from collections.abc import Iterable, Iterator
from typing import Any

MOST_FILES = 10
MOST_HEADS = 10


def tell_ingest(summary: dict[str, Any]) -> str:
    """Say how a data set is made up, and what was left out."""
    lines = [
        f"data set {summary['dataset']}: {_many(summary['images'], 'image')} of "
        f"{_many(len(summary['classes']), 'class')} in {summary['folder']} "
        f"({_many(summary['read'], 'file')} read)",
        f"  {'':20} {'train':>8} {'validation':>10} {'test':>8}",
    ]
    lines += [
        f"  {name[:20]:20} {row['train']:8} {row['validation']:10} {row['test']:8}"
        for name, row in summary["counts"].items()
    ]
    if len(summary["classes"]) > 1:
        lines.append(
            f"  always saying {summary['largest_class']!r}, the largest class, has accuracy "
            f"{summary['largest_class_accuracy']:.4f}"
        )
    else:
        lines.append("  one class only: features can be extracted, but no head trained")
    lines += _lacking(summary)
    if summary["duplicates"]:
        lines.append(
            f"  repeats of another file's bytes, which count once: {summary['duplicates']}"
        )
    lines += _files("rejected", summary["rejected"])
    lines += _files("ignored", summary["ignored"])
    lines += _files("remark", summary["remarks"])
    return "\n".join(lines)


def tell_extract(summary: dict[str, Any]) -> str:
    """Say what was computed and what was there already."""
    lines = [
        f"features of {summary['dataset']}: {summary['computed']} computed, {summary['cached']} "
        f"cached, {summary['duplicates']} duplicates, in {summary['seconds']:.1f} s"
    ]
    if summary["computed"]:
        lines[0] += f" ({summary['images_per_second']:.0f} images/s by {summary['engine']})"
    if summary["checked"]:
        lines.append(
            f"  {summary['checked']} features computed a second time to check, and they agree"
        )
    if figures := summary["agreement"]:
        lines.append(
            f"  {summary['engine']} agrees with Keras: largest difference "
            f"{figures['largest_difference']:.1e} of the largest feature, expected at most "
            f"{figures['tolerance']:g}"
        )
    for recipe in summary["recipes"]:
        shape = "×".join(map(str, recipe["feature_shape"] or ()))
        lines.append(f"  tap {recipe['tap']}: shape {shape}, recipe {recipe['fingerprint'][:16]}")
    return "\n".join(lines + _files("rejected", summary["rejected"]))


def tell_train(summary: dict[str, Any]) -> str:
    """Say how each head did, and which was chosen."""
    by = f"{summary['folds']} folds" if summary["folds"] else "validation"
    lines = [f"heads on {summary['dataset']}, chosen on {by}:"]
    for run in summary["runs"]:
        mark = "*" if run["run"] == summary["run"] else " "
        cached = " (cached)" if run["cached"] else ""
        told = run["failure"] or (
            f"train {run['train_accuracy']:.4f}  {by} {run['validation_accuracy']:.4f}"
        )
        lines.append(f"{mark} {run['head']:14} {told}  run {run['run'][:16]}{cached}")
    return "\n".join([*lines, *_tested(summary)])


def tell_sweep(summary: dict[str, Any]) -> str:
    """Say which heads are best, which was chosen, and what that choice is worth."""
    runs = [run for run in summary["runs"] if not run["failure"]]
    failed = [run for run in summary["runs"] if run["failure"]]
    by = f"{summary['folds']} folds" if summary["folds"] else "validation"
    estimate = summary["estimate"]
    lines = [
        f"sweep on {summary['dataset']}: {_many(len(summary['runs']), 'head')}, "
        f"{summary['trained']} trained, {summary['cached']} cached, {len(failed)} failed",
    ]
    varied = _varied(runs)
    for run in runs[:MOST_HEADS]:
        mark = "*" if run["run"] == summary["run"] else " "
        given = {name: run["parameters"].get(name) for name in varied}
        about = ", ".join(f"{name} {value}" for name, value in given.items() if value is not None)
        lines.append(
            f"{mark} {by} {run['metrics']['validation_accuracy']:.4f}  run {run['run'][:16]}  "
            f"{about}"
        )
    if len(runs) > MOST_HEADS:
        lines.append(f"  and {len(runs) - MOST_HEADS} more: python -m flows.runs list")
    lines += [f"  failed: {run['run'][:16]}: {run['failure']}" for run in failed[:MOST_HEADS]]
    lines.append(
        f"chosen by {by}: {summary['head']}, {summary['validation_accuracy']:.4f}; being the best "
        f"of {len(runs)} flatters it: expect {estimate['accuracy']:.4f} "
        f"({estimate['low']:.4f} to {estimate['high']:.4f}, 95%)"
    )
    lines += _tested(summary)
    lines.append(f"report: {summary['report']}")
    return "\n".join(lines)


def _varied(runs: list[dict[str, Any]]) -> list[str]:
    """Return the names of the parameters in which runs differ."""
    names = dict.fromkeys(name for run in runs for name in run["parameters"])
    return [
        name for name in names if len({json.dumps(run["parameters"].get(name)) for run in runs}) > 1
    ]


def _tested(summary: dict[str, Any]) -> Iterator[str]:
    if summary["test_accuracy"] is not None:
        yield (
            f"test accuracy of {summary['head']}: {summary['test_accuracy']:.4f} "
            f"(test split opened {_many(summary['test_openings'], 'time')}, over all runs)"
        )


def tell_pipeline(summary: dict[str, Any]) -> str:
    """Say what each stage did, and where the report is."""
    known = summary["ingest"]["rejected"]
    new = [file for file in summary["extract"]["rejected"] if file not in known]
    parts = [
        *textwrap.wrap(summary["about"], 100),
        tell_ingest(summary["ingest"]),
        tell_extract(summary["extract"] | {"rejected": new}),
        tell_train(summary["train"]),
        f"report: {summary['report']}",
    ]
    return "\n".join(parts)


def _lacking(summary: dict[str, Any]) -> Iterator[str]:
    effects = {
        "train": "no head can be trained",
        "validation": "no head is chosen by it",
        "test": "no head is tested on it",
    }
    for split, effect in effects.items():
        without = [name for name, row in summary["counts"].items() if not row[split]]
        if without:
            named = ", ".join(map(repr, without[:5])) + (", …" if len(without) > 5 else "")
            yield f"  no {split} image of {named}: {effect}"


def _files(what: str, files: list[dict[str, str]]) -> list[str]:
    lines = [f"  {what}: {file['path']!r}: {file['reason']}" for file in files[:MOST_FILES]]
    if len(files) > MOST_FILES:
        lines.append(f"  {what}: and {len(files) - MOST_FILES} more")
    return lines


def tell_maintain(summary: dict[str, Any]) -> str:
    """Say what an action on the store found or did."""
    told = {
        "stats": _tell_stats,
        "verify": _tell_verify,
        "reindex": lambda s: _lines(f"{n} shards: {r}" for r, n in s["reindex"].items()),
        "gc": _tell_garbage,
        "list": _tell_list,
    }
    return told[summary["action"]](summary)


def _tell_stats(summary: dict[str, Any]) -> str:
    return _lines(
        f"{row['features']} features in {row['shards']} shards, {row['bytes'] / 2**20:.1f} MiB, "
        f"{row['quarantined']} quarantined: {row['recipe']}"
        for row in summary["stats"]
    )


def _tell_verify(summary: dict[str, Any]) -> str:
    return _lines(
        f"{recipe}: {'; '.join(findings) if findings else 'whole'}"
        for recipe, findings in summary["verify"].items()
    )


def _tell_garbage(summary: dict[str, Any]) -> str:
    done = "deleted" if summary["deleted"] else "may go (--delete removes it)"
    total = sum(item["bytes"] for item in summary["garbage"])
    lines = [f"{i['path']} ({i['bytes']} bytes): {i['reason']}" for i in summary["garbage"]]
    return "\n".join([*lines, f"{len(lines)} files, {total / 2**20:.1f} MiB: {done}"])


def _tell_list(summary: dict[str, Any]) -> str:
    listed = summary["list"]
    lines = [
        f"data set {about['dataset']}: {_many(about['images'], 'image')} of "
        f"{_many(len(about['classes']), 'class')} in {about['folder']}"
        for about in listed["datasets"]
    ]
    lines += [f"recipe {recipe}" for recipe in listed["recipes"]]
    for run in listed["runs"]:
        test = "" if run["test_accuracy"] is None else f", test {run['test_accuracy']:.4f}"
        lines.append(
            f"run {run['run'][:16]}: {run['head']} on {run['dataset']}, validation "
            f"{run['validation_accuracy']:.4f}{test}"
        )
    return _lines(lines)


def tell_runs(summary: dict[str, Any]) -> str:
    """Say what an action on the runs found or did."""
    told = {
        "list": _tell_leaderboard,
        "show": lambda s: _lines(_told_run(s["run"])),
        "compare": _tell_comparison,
        "export": lambda s: f"{_many(s['runs'], 'run')} in {s['file']}",
    }
    return told[summary["action"]](summary)


def _tell_leaderboard(summary: dict[str, Any]) -> str:
    runs, limit = summary["runs"], summary["limit"]
    lines = [f"{'run':16}  {'data set':16}  {'head':9} folds  validation  test"] if runs else []
    for run in runs[:limit]:
        test = "–" if run["test_accuracy"] is None else f"{run['test_accuracy']:.4f}"
        told = f"{run['validation_accuracy'] or 0:10.4f}  {test}"
        lines.append(
            f"{run['run'][:16]}  {run['dataset'][:16]:16}  {run['head']:9} {run['folds']:5}  "
            + (f"failed: {run['failure']}" if run["failure"] else told)
        )
    if len(runs) > limit:
        lines.append(f"and {len(runs) - limit} more: --limit {len(runs)}, or export FILE")
    return _lines(lines)


def _told_run(run: dict[str, Any]) -> Iterator[str]:
    folds = f", {run['folds']} folds" if run["folds"] else ""
    yield f"run {run['id']}: {run['head']['kind']} on {run['dataset']}{folds}, {run['created']}"
    yield f"  head {json.dumps(run['head'])}, seed {run['seed']}"
    if run["failure"]:
        yield f"  failed: {run['failure']}"
        return
    yield "  " + ", ".join(f"{name} {value:.4f}" for name, value in run["metrics"].items())
    low, high = run["interval"]
    yield (
        f"  accuracy on {_many(run['images'], 'image')} of {run['judged_on']}: "
        f"{run['accuracy']:.4f} ({low:.4f} to {high:.4f}, 95%)"
    )
    for row in run["per_class"]:
        recall, precision = (
            "–" if row[n] is None else f"{row[n]:.4f}" for n in ("recall", "precision")
        )
        yield f"  {row['name'][:20]:20} {row['images']:6}  recall {recall}  precision {precision}"
    for opening in run["openings"]:
        told = ", ".join(f"{name} {value:.4f}" for name, value in opening["metrics"].items())
        yield f"  test split opened {opening['opened']} by {opening['asked_by']}: {told}"


def _tell_comparison(summary: dict[str, Any]) -> str:
    first, second = summary["runs"]
    lines = [
        f"{n}: run {run['run'][:16]}, {run['head']['kind']}, accuracy {run['accuracy']:.4f}"
        for n, run in (("first", first), ("second", second))
    ]
    lines.append(
        f"of {_many(summary['images'], 'image')}, only the first has {summary['only_first']} right "
        f"and only the second {summary['only_second']}"
    )
    verdict = "they differ" if summary["p_value"] < 0.05 else "that may be chance"
    lines.append(
        f"second minus first: {summary['difference']:+.4f} ({summary['low']:+.4f} to "
        f"{summary['high']:+.4f}, 95%), McNemar's p = {summary['p_value']:.3g}: {verdict}"
    )
    return "\n".join(lines)


def _many(count: int, noun: str) -> str:
    ending = "" if count == 1 else "es" if noun.endswith("s") else "s"
    return f"{count} {noun}{ending}"


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(lines) or "nothing there"
