"""Clusters of images as one HTML page, each with its most central images."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from stores.keys import ImageKey
from tasks.exploration.dataset_clusters import Agreement, ClusterAbout
from tasks.exploration.dataset_rows import DatasetRows
from tasks.images.thumbnails import thumbnail
from tasks.report.templating import render

SHOWN = 12  # images of a cluster
_SIDE = 120  # of an image, in pixels


def clusters_page(
    rows: DatasetRows, clusters: Sequence[ClusterAbout], agreed: Agreement | None, *, made_by: str
) -> bytes:
    """Return the page; an image that cannot be read is grey, with the reason."""
    place_of = {path: place for place, path in enumerate(rows.paths)}
    folder = Path(rows.manifest.folder)

    def shown(path: str) -> dict[str, str]:
        key = ImageKey(rows.images.keys[place_of[path]].tobytes())
        return {"path": path, "src": thumbnail(folder / path, key, side=_SIDE)}

    with ThreadPoolExecutor() as pool:
        images = [list(pool.map(shown, about.central)) for about in clusters]
    return render(
        "clusters.html.jinja",
        name=rows.manifest.name,
        recipe=str(rows.job.recipes[0]),
        clusters=list(zip(clusters, images, strict=True)),
        agreed=agreed,
        made_by=made_by,
    )
