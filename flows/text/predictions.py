"""What the command line prints of predictions."""

from collections.abc import Iterator

from flows.cli.terminal import with_visible_names
from flows.summaries.predictions import InDataset, PredictedImage, PredictSummary
from flows.text.stores import many
from tasks.datasets.find_images import in_words
from tasks.images.image_files import IMAGE_ENDINGS

MOST_PREDICTIONS = 50


@with_visible_names
def predict_text(summary: PredictSummary) -> str:
    """Return what each image shows, and how many images are of each class."""
    shown = summary.predictions[:MOST_PREDICTIONS]
    width = max(len(image.path) for image in shown)
    lines = [f"{image.path:{width}}  {_prediction(image)}" for image in shown]
    if len(summary.predictions) > MOST_PREDICTIONS:
        where = summary.output or "--output FILE"
        lines.append(f"  and {len(summary.predictions) - MOST_PREDICTIONS} more: {where}")
    counts = ", ".join(f"{name} {count}" for name, count in summary.counts.items() if count)
    lines.append(
        f"{many(summary.images, 'image')} in {summary.seconds:.1f} s: {counts or 'none'}; "
        f"features of {summary.computed} computed, {summary.cached} cached, "
        f"{summary.rejected} rejected"
    )
    if passed_over := summary.passed_over:
        lines.append(
            f"{sum(passed_over.values())} other files and folders were not predicted: "
            f"{in_words(passed_over)}; expected {', '.join(IMAGE_ENDINGS)}"
        )
    if summary.in_its_dataset:
        lines += _in_dataset(summary.in_its_dataset)
    written = {"output": summary.output, "grid": summary.grid}
    lines += [f"{name}: {path}" for name, path in written.items() if path]
    return "\n".join(lines)


def _prediction(image: PredictedImage) -> str:
    return f"{image.predicted}  {image.score:.4f}" if image.predicted else image.reason


def _in_dataset(found: InDataset) -> Iterator[str]:
    """Yield how many of the predicted images are in the run's own data set."""
    if not found.in_store:
        yield (
            f"data set {found.dataset} of this run is not in the store: whether its test images "
            "are among these is unknown"
        )
    learned = found.train + found.validation
    if learned or found.test:
        yield (
            f"of data set {found.dataset}: {many(learned, 'image')} of train and validation, which "
            f"the run was trained and chosen on, and {many(found.test, 'test image')}"
        )
    if found.recorded:
        yield (
            f"{many(found.recorded, 'test image')} predicted with labels at hand: counted as a "
            "test evaluation"
        )
