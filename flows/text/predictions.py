"""What the command line prints of predictions, for people."""

from collections.abc import Iterator
from typing import Any

from flows.cli.terminal import with_visible_names
from flows.text.stores import many
from tasks.datasets.find_images import in_words
from tasks.datasets.folder_structure import KERAS_ENDINGS

MOST_PREDICTIONS = 50


@with_visible_names
def tell_predict(summary: dict[str, Any]) -> str:
    """Say what each image shows, and how many images are of each class."""
    said = summary["predictions"]
    width = max(len(told["path"]) for told in said[:MOST_PREDICTIONS])
    lines = [
        f"{told['path']:{width}}  "
        + (f"{told['predicted']}  {told['score']:.4f}" if told["predicted"] else told["reason"])
        for told in said[:MOST_PREDICTIONS]
    ]
    if len(said) > MOST_PREDICTIONS:
        more = f"  and {len(said) - MOST_PREDICTIONS} more"
        lines.append(more + (f": {summary['output']}" if summary["output"] else ": --output FILE"))
    counts = ", ".join(f"{name} {count}" for name, count in summary["counts"].items() if count)
    lines.append(
        f"{many(summary['images'], 'image')} in {summary['seconds']:.1f} s: {counts or 'none'}; "
        f"features of {summary['computed']} computed, {summary['cached']} cached, "
        f"{summary['rejected']} rejected"
    )
    if passed_over := summary["passed_over"]:
        lines.append(
            f"{sum(passed_over.values())} other files and folders were not predicted: "
            f"{in_words(passed_over)}; expected {', '.join(KERAS_ENDINGS)}"
        )
    lines += _own_images(summary["in_its_dataset"])
    lines += [f"{name}: {summary[name]}" for name in ("output", "grid") if summary[name]]
    return "\n".join(lines)


def _own_images(found: dict[str, Any] | None) -> Iterator[str]:
    """Yield how many of the predicted images are in the run's own data set."""
    if found is None:
        return
    if not found["in_store"]:
        yield (
            f"data set {found['dataset']} of this run is not in the store: whether its test images "
            "are among these is unknown"
        )
    learned = found["train"] + found["validation"]
    if learned or found["test"]:
        yield (
            f"of data set {found['dataset']}: {many(learned, 'image')} of train and validation, "
            f"which made this run, and {many(found['test'], 'test image')}"
        )
    if found["recorded"]:
        yield (
            f"{many(found['recorded'], 'test image')} predicted with labels at hand: counted as a "
            "test evaluation"
        )
