"""What the command line prints of images that were looked at by their features."""

from collections.abc import Iterator

from flows.cli.terminal import with_visible_names
from flows.summaries.exploration import ClustersSummary, NextSummary, SimilarSummary
from flows.text.stores import many
from tasks.datasets.find_images import in_words
from tasks.exploration.label_next import NextImage
from tasks.exploration.similar_images import SimilarImages
from tasks.images.image_files import IMAGE_ENDINGS

MOST_IMAGES, MOST_SHOWN, _CENTRAL = 10, 20, 3
_METHODS = {"typical": "most typical ones", "uncertain": "most uncertain and different ones"}
_DRAWN = {"typical": ", drawn by chance", "uncertain": ", the most uncertain"}


@with_visible_names
def similar_text(summary: SimilarSummary) -> str:
    """Return what is most similar to each image, and what was searched."""
    lines = [line for one in summary.found[:MOST_IMAGES] for line in _similar(one)]
    if len(summary.found) > MOST_IMAGES:
        where = summary.output or "--output FILE"
        lines.append(f"and {many(len(summary.found) - MOST_IMAGES, 'image')} more: {where}")
    by = "by an index, which misses some" if summary.by_index else "each of them compared"
    lines.append(
        f"{many(summary.images, 'image')} in {summary.seconds:.1f} s, among "
        f"{many(summary.searched, 'image')} of {summary.dataset}, {by}; features of "
        f"{summary.computed} computed, {summary.cached} cached, {summary.rejected} rejected"
    )
    if passed_over := summary.passed_over:
        lines.append(
            f"{sum(passed_over.values())} other files and folders were not used: "
            f"{in_words(passed_over)}; expected {', '.join(IMAGE_ENDINGS)}"
        )
    lines += _written(output=summary.output, grid=summary.grid)
    return "\n".join(lines)


@with_visible_names
def next_text(summary: NextSummary) -> str:
    """Return which images to label next and why, and among how many they were chosen."""
    shown = summary.images[:MOST_SHOWN]
    width = max(len(image.path) for image in shown)
    lines = [f"{image.path:{width}}  {_why(image)}" for image in shown]
    if len(summary.images) > MOST_SHOWN:
        where = summary.output or "--output FILE"
        lines.append(f"  and {len(summary.images) - MOST_SHOWN} more: {where}")
    lines.append(
        f"{many(len(summary.images), 'image')} to label next of {summary.without_label:,} without "
        f"a label in {summary.dataset}, the {_METHODS[summary.method]}; "
        f"{many(summary.with_label, 'image')} {'has' if summary.with_label == 1 else 'have'} one"
    )
    if summary.drawn:
        lines.append(f"chosen among {summary.drawn:,} of them{_DRAWN[summary.method]}")
    if summary.copies:
        lines.append(f"{many(summary.copies, 'near-duplicate')} of images with a label left out")
    lines += [f"note: copies may be among these: {why}" for why in summary.untold]
    lines += _written(output=summary.output, grid=summary.grid)
    if summary.output:
        lines.append("fill in the column label; then --labels reads the table")
    return "\n".join(lines)


def _why(image: NextImage) -> str:
    unsure = "" if image.uncertainty is None else f"  uncertainty {image.uncertainty:.2f}"
    return f"{image.reason}{unsure}  distance {image.distance:.3f}"


def _similar(one: SimilarImages) -> Iterator[str]:
    if one.reason:
        yield f"{one.path}: {one.reason}"
        return
    itself = f" (in the data set as {one.itself}, left out)" if one.itself else ""
    yield f"{one.path}{itself}"
    width = max((len(similar.path) for similar in one.similar), default=0)
    for similar in one.similar:
        about = "  ".join(filter(None, (similar.label, similar.split)))
        yield f"  {similar.cosine:.4f}  {similar.path:{width}}  {about}".rstrip()


@with_visible_names
def clusters_text(summary: ClustersSummary) -> str:
    """Return the clusters with their most central images, and how they agree with labels."""
    size = max(len(f"{one.images:,}") for one in summary.clusters)
    lines = []
    for one in summary.clusters[:MOST_SHOWN]:
        label = "" if one.share is None else f"  {one.share:4.0%} {one.label}"
        central = ", ".join(one.central[:_CENTRAL])
        lines.append(f"{one.name}  {one.images:{size},} images{label}  {central}")
    if len(summary.clusters) > MOST_SHOWN:
        where = summary.output or summary.page or "--output FILE"
        lines.append(f"  and {len(summary.clusters) - MOST_SHOWN} more: {where}")
    lines.append(
        f"{many(summary.images, 'image')} of {summary.dataset} in "
        f"{many(len(summary.clusters), 'cluster')}, in {summary.seconds:.1f} s"
    )
    if summary.tried:
        best = sorted(summary.tried, key=lambda count: -summary.tried[count])[:3]
        told = ", ".join(f"{count} ({summary.tried[count]:.3f})" for count in best)
        lines.append(f"-k auto: these numbers of clusters separate best (silhouette): {told}")
    if agreed := summary.agreement:
        lines.append(
            f"{agreed.purity:.1%} of the images have the most common label of their cluster; "
            f"adjusted Rand index with the labels {agreed.rand_index:.3f}"
        )
    if summary.unread:
        lines.append(f"{many(summary.unread, 'image')} could not be read, and are in none")
    lines += _written(output=summary.output, page=summary.page)
    return "\n".join(lines)


def _written(**files: str | None) -> Iterator[str]:
    yield from (f"{name}: {path}" for name, path in files.items() if path)
