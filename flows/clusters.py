"""Clusters of images: `python -m flows.clusters FOLDER-OR-DATASET`.

Command 8: Group the images of a folder by what they look like.

Example:
    >>> gargalo.clusters("new-photos", k=20, page="clusters.html").clusters
"""

import time

from flows.artifacts import run_name, show_text
from flows.cli.command_line import command_line
from flows.cli.progress import announce
from flows.orchestration.served_flow import flow
from flows.parameters.exploration import ClustersParameters
from flows.parameters.seeds import seed_for
from flows.stages.explored import explore_stage
from flows.summaries.exploration import ClustersSummary
from flows.text.exploration import clusters_text
from tasks.execution.output_paths import check_output
from tasks.exploration.dataset_clusters import agreement, as_table, cluster, described
from tasks.inference.table_files import ENDINGS, write_bytes, write_table
from tasks.report.clusters_page import SHOWN, clusters_page

_PAGE_ENDINGS = (".html",)


# As of flows.extract: while one shard is written, the next is computed.
@flow(name="clusters", flow_run_name=run_name, threads=2)
def clusters(
    source: str, *, parameters: ClustersParameters = ClustersParameters()
) -> ClustersSummary:
    """Group images by their features, and show the most central ones of each cluster.

    Args:
        source: Folder of images, which is ingested first, or the name of a data set; labels are
            not needed, and only compared.
        parameters: How many clusters, by which features, and what is written.
    """
    for output, endings in ((parameters.output, ENDINGS), (parameters.page, _PAGE_ENDINGS)):
        if output:
            check_output(output, endings=endings)
    rows = explore_stage(source, parameters).rows
    announce(len(rows.images.keys), doing="reading features")
    began = time.perf_counter()
    count = None if parameters.k == "auto" else parameters.k
    found = cluster(rows, count, seed=seed_for(parameters.seed, rows.manifest))
    agreed = agreement(rows, found)
    about = tuple(described(rows, found, central=SHOWN))
    seconds = time.perf_counter() - began
    if parameters.output:
        write_table(as_table(rows, found), parameters.output)
    if parameters.page:
        made_by = f"gargalo clusters {source} -k {parameters.k}"
        write_bytes(clusters_page(rows, about, agreed, made_by=made_by), parameters.page)
    summary = ClustersSummary(
        dataset=rows.manifest.name,
        seconds=round(seconds, 3),
        images=len(found.places),
        unread=len(rows.images.keys) - len(found.places),
        clusters=about,
        tried=found.tried,
        agreement=agreed,
        output=str(parameters.output) if parameters.output else None,
        page=str(parameters.page) if parameters.page else None,
    )
    show_text(f"clusters of {summary.dataset}", clusters_text(summary))
    return summary


if __name__ == "__main__":
    command_line(clusters, clusters_text, needs_server=False)
