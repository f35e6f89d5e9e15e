"""Similar images: `python -m flows.similar IMAGE… --in DATASET`.

Command 8: Find the images of a data set that are most similar to others.

Example:
    >>> gargalo.similar("new.jpg", within="photos", k=5).found[0].similar
"""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from flows.artifacts import run_name, show_text
from flows.cli.command_line import command_line
from flows.cli.progress import announce
from flows.orchestration.served_flow import flow
from flows.parameters.exploration import SimilarParameters
from flows.stages.explored import explore_stage, searched_source
from flows.summaries.exploration import SimilarSummary
from flows.text.exploration import similar_text
from tasks.datasets.find_images import find_images
from tasks.execution.output_paths import check_output
from tasks.exploration.dataset_rows import DatasetRows
from tasks.exploration.similar_images import (
    SimilarImages,
    as_table,
    asked_images,
    by_index,
    similar_images,
)
from tasks.inference.captioned_grid import GRID_ENDINGS, grid
from tasks.inference.table_files import ENDINGS, write_bytes, write_table

_IN_GRID = 4  # images, each with as many similar ones


# As of flows.extract: while one shard is written, the next is computed.
@flow(name="similar", flow_run_name=run_name, threads=2)
def similar(
    images: tuple[Path, ...], *, parameters: SimilarParameters = SimilarParameters()
) -> SimilarSummary:
    """Find the images of a data set whose features are most similar to those of some images.

    Args:
        images: Image files, folders of them, and names of data sets in the store; also paths as
            the searched data set has them.
        parameters: Which data set is searched, by which features, and what is written.
    """
    for output, endings in ((parameters.output, ENDINGS), (parameters.grid, GRID_ENDINGS)):
        if output:
            check_output(output, endings=endings)
    searched = explore_stage(parameters.within or searched_source(parameters), parameters).rows
    folder = Path(searched.manifest.folder)
    found = find_images([_placed(image, folder) for image in images], store=parameters.store)
    announce(len(found.paths) + len(searched.images.keys), doing="comparing")
    began = time.perf_counter()
    asked = asked_images(found.paths, searched, found.known)
    answers = similar_images(found.paths, asked, searched, parameters.k)
    seconds = time.perf_counter() - began
    if parameters.output:
        write_table(as_table(answers), parameters.output)
    if parameters.grid:
        shown = list(_captions(found.paths, answers, searched))
        columns = 1 + min(_IN_GRID, parameters.k, len(searched.images.keys) - 1)
        picture = grid(shown, searched.manifest.orientation, columns=columns)
        write_bytes(picture, parameters.grid)
    summary = SimilarSummary(
        dataset=searched.manifest.name,
        searched=len(searched.images.keys),
        by_index=by_index(len(asked.paths), len(searched.images.keys)),
        seconds=round(seconds, 3),
        images=len(answers),
        cached=asked.cached,
        computed=len(asked.paths) - asked.cached,
        rejected=len(asked.rejected),
        found=tuple(answers),
        passed_over=found.passed_over,
        output=str(parameters.output) if parameters.output else None,
        grid=str(parameters.grid) if parameters.grid else None,
    )
    show_text(f"similar in {summary.dataset}", similar_text(summary))
    return summary


def _placed(image: Path, folder: Path) -> Path:
    """Return an image's file, where its path is that in the folder of the data set."""
    inside = folder / image
    return inside if not image.exists() and inside.is_file() else image


def _captions(
    paths: Sequence[Path], answers: Sequence[SimilarImages], searched: DatasetRows
) -> Iterator[tuple[Path, str]]:
    """Yield a row of pictures for each of the first images: itself, and the most similar ones."""
    usable = [(path, one) for path, one in zip(paths, answers, strict=True) if not one.reason]
    folder = Path(searched.manifest.folder)
    for path, one in usable[:_IN_GRID]:
        yield path, path.name
        for near in one.similar[:_IN_GRID]:
            yield folder / near.path, f"{near.cosine:.3f} {near.label or Path(near.path).name}"


def nothing_compared(summary: SimilarSummary) -> bool:
    """Return whether not one image could be used."""
    return summary.rejected == summary.images


if __name__ == "__main__":
    command_line(similar, similar_text, failed=nothing_compared, needs_server=False)
