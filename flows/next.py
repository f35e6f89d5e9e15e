"""What to label next: `python -m flows.next FOLDER-OR-DATASET --run RUN`.

Command 8: Choose the images to label next.

Example:
    >>> gargalo.next_images("new-photos", run=result.run, k=50, output="label-these.csv").images
"""

import time
from pathlib import Path

from flows.artifacts import run_name, show_text
from flows.cli.command_line import command_line
from flows.cli.progress import announce
from flows.orchestration.served_flow import flow
from flows.parameters.exploration import NextParameters
from flows.parameters.seeds import seed_for
from flows.stages.explored import Explored, explore_stage, labelled_rows
from flows.summaries.exploration import NextSummary
from flows.text.exploration import next_text
from tasks.execution.output_paths import check_output
from tasks.exploration.label_next import LabelNext, as_table, label_next
from tasks.inference.captioned_grid import GRID_ENDINGS, grid
from tasks.inference.table_files import ENDINGS, write_bytes, write_table


# As of flows.extract: while one shard is written, the next is computed.
@flow(name="next", flow_run_name=run_name, threads=2)
def next_images(source: str, *, parameters: NextParameters = NextParameters()) -> NextSummary:
    """Choose the images whose labels would teach a head most, of those that have none.

    Args:
        source: Folder of images, which is ingested first, or the name of a data set.
        parameters: How many, by which features or run, and what is written.
    """
    for output, endings in ((parameters.output, ENDINGS), (parameters.grid, GRID_ENDINGS)):
        if output:
            check_output(output, endings=endings)
    explored = explore_stage(source, parameters)
    pool = explored.rows
    labelled = labelled_rows(explored, parameters.labelled, parameters.store)
    known = len(labelled.images.keys) if labelled else 0
    announce(len(pool.images.keys) + known + parameters.k, doing="choosing")
    began = time.perf_counter()
    found = label_next(
        pool,
        labelled,
        explored.classifier,
        k=parameters.k,
        method=None if parameters.method == "auto" else parameters.method,
        store=parameters.store,
        seed=seed_for(parameters.seed, pool.manifest),
    )
    seconds = time.perf_counter() - began
    if parameters.output:
        write_table(as_table(found.images), parameters.output)
    if parameters.grid:
        write_bytes(_picture(found, explored), parameters.grid)
    summary = NextSummary(
        dataset=pool.manifest.name,
        folder=pool.manifest.folder,
        seconds=round(seconds, 3),
        **vars(found),
        output=str(parameters.output) if parameters.output else None,
        grid=str(parameters.grid) if parameters.grid else None,
    )
    show_text(f"next in {summary.dataset}", next_text(summary))
    return summary


def _picture(found: LabelNext, explored: Explored) -> bytes:
    manifest = explored.rows.manifest
    captions = [(Path(manifest.folder) / one.path, one.reason) for one in found.images]
    return grid(captions, manifest.orientation)


if __name__ == "__main__":
    command_line(next_images, next_text, needs_server=False)
