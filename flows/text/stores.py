"""What the command line says at the end of a flow, for people."""

from collections.abc import Iterable, Iterator
from typing import Any

from flows.cli.terminal import with_visible_names
from tasks.features.agreement import difference_in_words

MOST_FILES = 10


@with_visible_names
def tell_ingest(summary: dict[str, Any]) -> str:
    """Say how a data set is made up, and what was left out."""
    lines = [
        f"data set {summary['dataset']}: {many(summary['images'], 'image')} of "
        f"{many(len(summary['classes']), 'class')} in {summary['folder']} "
        f"({many(summary['read'], 'file')} read)",
        f"  {'':20} {'train':>8} {'validation':>10} {'test':>8}",
    ]
    lines += [
        f"  {name[:20]:20} {row['train']:8} {row['validation']:10} {row['test']:8}"
        for name, row in summary["counts"].items()
    ]
    if len(summary["classes"]) > 1:
        lines.append(
            f"  majority-class baseline: {summary['largest_class_accuracy']:.4f} "
            f"(class {summary['largest_class']!r})"
        )
    else:
        lines.append("  one class only: features can be extracted, but no head trained")
    lines += _lacking(summary)
    if summary["duplicates"]:
        lines.append(
            f"  repeats of another file's bytes, which count once: {summary['duplicates']}"
        )
    lines += [f"  note: {note}" for note in summary["notes"]]
    lines += _files("rejected", summary["rejected"])
    lines += _files("ignored", summary["ignored"])
    lines += [
        f"  remark: {many(about['images'], 'image')}: {about['remark']} (for one, "
        f"{about['example']!r})"
        for about in summary["remark_counts"]
    ]
    return "\n".join(lines)


@with_visible_names
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
            f"  {summary['checked']} rows computed only to compare engines or versions: they agree"
        )
    if figures := summary["agreement"]:
        lines.append(
            f"  {summary['engine']} agrees with Keras on {figures['rows']} photographs: "
            f"{difference_in_words(figures)}"
        )
    for recipe in summary["recipes"]:
        shape = "×".join(map(str, recipe["feature_shape"] or ()))
        lines.append(f"  tap {recipe['tap']}: shape {shape}, recipe {recipe['fingerprint'][:16]}")
    lines += [f"  note: {note}" for note in summary["notes"]]
    return "\n".join(lines + _files("rejected", summary["rejected"]))


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


@with_visible_names
def tell_export(summary: dict[str, Any]) -> str:
    """Say what was written, and how far it is from the run."""
    return "\n".join(
        [
            f"run {summary['run'][:16]} as {many(len(summary['models']), 'model')} in "
            f"{summary['folder']}, with its card, README.md",
            *(
                f"  {name:12} the same labels on {many(found['images'], 'validation image')}, "
                f"scores within {found['largest_difference']:.1e}"
                for name, found in summary["models"].items()
            ),
        ]
    )


@with_visible_names
def tell_maintain(summary: dict[str, Any]) -> str:
    """Say what an action on the store found or did."""
    told = {
        "stats": _tell_stats,
        "verify": _tell_verify,
        "reindex": lambda s: lines_of(f"{n} shards: {r}" for r, n in s["reindex"].items()),
        "gc": _tell_garbage,
        "list": _tell_list,
        "merge": _tell_merge,
    }
    return told[summary["action"]](summary)


def _tell_stats(summary: dict[str, Any]) -> str:
    lines = [
        f"{row['features']} features in {row['shards']} shards, {row['bytes'] / 2**20:.1f} MiB, "
        f"{row['quarantined']} quarantined: {row['recipe']}"
        for row in summary["stats"]
    ]
    lines += [
        f"{many(row['checkpoints'], 'checkpoint')}, {row['bytes'] / 2**20:.1f} MiB: "
        f"fine-tuning {row['run']}"
        for row in summary["checkpoints"]
    ]
    return (
        "\n".join(lines)
        or "no features and no checkpoints that can be read (list: what there is besides)"
    )


def _tell_verify(summary: dict[str, Any]) -> str:
    return lines_of(
        f"{recipe}: {'; '.join(findings) if findings else 'whole'}"
        for recipe, findings in summary["verify"].items()
    )


def _tell_garbage(summary: dict[str, Any]) -> str:
    done = "deleted" if summary["deleted"] else "may go (--delete removes it)"
    total = sum(item["bytes"] for item in summary["garbage"])
    lines = [f"{i['path']} ({i['bytes']} bytes): {i['reason']}" for i in summary["garbage"]]
    return "\n".join([*lines, f"{len(lines)} files, {total / 2**20:.1f} MiB: {done}"])


def _tell_merge(summary: dict[str, Any]) -> str:
    taken = summary["merge"]
    counts = [
        f"{many(taken['features'], 'feature')} in {many(taken['shards'], 'shard')}",
        many(taken["datasets"], "data set"),
        many(taken["runs"], "run"),
        f"{many(taken['looks'], 'look')} at a test split",
    ]
    return "\n".join(
        [
            *(f"not taken over: {line}" for line in taken["left"]),
            *(f"damaged, not taken over: {line}" for line in taken["damaged"]),
            f"taken over from {summary['from']}: {', '.join(counts)}; "
            f"{taken['bytes'] / 2**20:.1f} MiB",
        ]
    )


def _tell_list(summary: dict[str, Any]) -> str:
    listed = summary["list"]
    lines = [
        f"data set {about['dataset']}: {many(about['images'], 'image')} of "
        f"{many(len(about['classes']), 'class')} in {about['folder']}"
        for about in listed["datasets"]
    ]
    lines += [f"recipe {recipe}" for recipe in listed["recipes"]]
    for run in listed["runs"]:
        test = "" if run["test_accuracy"] is None else f", test {run['test_accuracy']:.4f}"
        lines.append(
            f"run {run['run'][:16]}: {run['head']} on {run['dataset']}, "
            + (
                f"failed: {run['failure']}"
                if run["failure"]
                else f"validation {run['validation_accuracy']:.4f}{test}"
            )
        )
    lines += [
        f"fine-tuning {kept['run']}: not finished, {many(kept['epochs'], 'epoch')} done, "
        f"{kept['bytes'] / 2**20:.1f} MiB"
        for kept in listed["finetunings"]
    ]
    lines += [f"reads through to {layer}" for layer in listed["layers"]]
    return lines_of(lines)


def many(count: int, noun: str) -> str:
    """Return a number with its noun."""
    ending = "" if count == 1 else "es" if noun.endswith("s") else "s"
    return f"{count} {noun}{ending}"


def lines_of(lines: Iterable[str]) -> str:
    """Return lines as one text, or that there are none: of what cannot be read a line is logged."""
    return "\n".join(lines) or "nothing that can be read"
