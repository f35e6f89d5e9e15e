"""What the command line prints of predictions."""

from collections.abc import Iterator

from flows.cli.terminal import with_visible_names
from flows.summaries.predictions import (
    InDataset,
    Intervals,
    PredictedImage,
    PredictSummary,
    Sets,
)
from flows.text.numbers import in_digits
from flows.text.stores import many
from tasks.datasets.find_images import in_words
from tasks.images.image_files import IMAGE_ENDINGS
from tasks.inference.novelty import Shift

MOST_PREDICTIONS = 50
MOST_NAMED = 5  # classes of a set


@with_visible_names
def predict_text(summary: PredictSummary) -> str:
    """Return what each image shows, and how many images are of each class or label."""
    shown = summary.predictions[:MOST_PREDICTIONS]
    width = max(len(image.path) for image in shown)
    lines = [f"{image.path:{width}}  {_prediction(image)}" for image in shown]
    if len(summary.predictions) > MOST_PREDICTIONS:
        where = summary.output or "--output FILE"
        lines.append(f"  and {len(summary.predictions) - MOST_PREDICTIONS} more: {where}")
    lines.append(
        f"{many(summary.images, 'image')} in {summary.seconds:.1f} s: {_all_together(summary)}; "
        f"features of {summary.computed} computed, {summary.cached} cached, "
        f"{summary.rejected} rejected"
    )
    if summary.changed_by_costs is not None:
        lines.append(
            "of another class than the most probable one, by the costs: "
            f"{many(summary.changed_by_costs, 'image')}"
        )
    if summary.sets:
        lines.append(_of_sets(summary.sets))
    if summary.intervals:
        lines.append(_of_intervals(summary.intervals))
    if summary.shift:
        lines.append(_of_shift(summary.shift))
    if summary.not_compared:
        lines.append(f"not compared with the training images: {summary.not_compared}")
    if summary.not_calibrated:
        lines.append(f"probabilities are not calibrated: {summary.not_calibrated}")
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


def _all_together(summary: PredictSummary) -> str:
    """Return how many images are of each class or label, or what the numbers are."""
    if found := summary.numbers:
        lowest, highest = in_digits(found.lowest), in_digits(found.highest)
        return f"{in_digits(found.mean)} in the mean, from {lowest} to {highest}"
    counts = [f"{name} {count}" for name, count in summary.counts.items() if count]
    if summary.without_label:
        counts.append(f"none of the labels {summary.without_label}")
    return ", ".join(counts) or "none"


def _prediction(image: PredictedImage) -> str:
    if image.predicted is None:
        return image.reason
    told = _answer(image)
    if image.unlike:
        nearest = image.nearest[0]
        beside = f"{nearest.path or nearest.label} at {nearest.similarity:.2f}"
        told += f"  unlike the training images (p {image.novelty:.2g}; nearest {beside})"
    if not image.unsure:  # without a coverage, or its set is the predicted class
        return told
    names = image.set or ("none of the classes",)
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"{told}  unsure: {', '.join(names[:MOST_NAMED])}{more}"


def _answer(image: PredictedImage) -> str:
    found = image.predicted
    if isinstance(found, tuple):
        each = (f"{name} {(image.probabilities or {})[name]:.4f}" for name in found)
        return ", ".join(each) or "none of the labels"
    if isinstance(found, float):
        ends = [in_digits(end) for end in image.interval or ()]
        return in_digits(found) + (f"  ({' to '.join(ends)})" if ends else "")
    return f"{found}  {image.probability:.4f}"


def _of_sets(found: Sets) -> str:
    of_each = {"class": " of each class", "group": ", in new groups", None: ""}[found.by]
    return (
        f"sets with the true class of {found.coverage * 100:g}% of images{of_each} "
        f"({found.kind}, by {many(found.held_out_images, 'held-out image')}): "
        f"{many(found.unsure, 'image')} unsure ({found.several} of several classes, "
        f"{found.empty} of none), {found.mean_size:.2f} classes in the mean"
    )


def _of_intervals(found: Intervals) -> str:
    in_groups = ", in new groups" if found.by else ""
    return (
        f"intervals with the true number of {found.coverage * 100:g}% of images{in_groups} "
        f"(by {many(found.held_out_images, 'held-out image')}): {in_digits(found.width)} wide"
    )


def _of_shift(found: Shift) -> str:
    verdict = "the images have changed" if found.changed else "as expected"
    return (
        f"{found.unlike / found.images:.1%} of {many(found.images, 'image')} are unlike the "
        f"training images, where {found.level * 100:g}% is expected: {verdict} "
        f"(by {many(found.held_out_images, 'held-out image')})"
    )


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
