"""What looking at images by their features returns."""

from collections.abc import Iterator
from dataclasses import dataclass

from stores.in_notebook import InNotebook, Table
from tasks.exploration.dataset_clusters import Agreement, ClusterAbout
from tasks.exploration.label_next import NextImage
from tasks.exploration.similar_images import SimilarImages


@dataclass(frozen=True, kw_only=True)
class SimilarSummary(InNotebook):
    """The images of a data set that are most similar to others."""

    dataset: str
    searched: int  # images of the data set
    by_index: bool  # so that some may not be found
    seconds: float
    images: int
    cached: int  # features
    computed: int
    rejected: int
    found: tuple[SimilarImages, ...]
    passed_over: dict[str, int]  # files in the folders that are no images, by ending
    output: str | None  # the files that were written
    grid: str | None

    def tables(self) -> Iterator[Table]:
        """Yield a table for each image."""
        for one in self.found:
            title = f"{one.path}: {one.reason}" if one.reason else f"Similar to {one.path}"
            yield Table(title, [vars(similar) for similar in one.similar])


@dataclass(frozen=True, kw_only=True)
class NextSummary(InNotebook):
    """The images to label next, and among how many they were chosen."""

    dataset: str
    folder: str  # that the paths are in
    method: str
    seconds: float
    images: tuple[NextImage, ...]
    without_label: int
    with_label: int
    copies: int  # near-duplicates of images with a label, which are left out
    drawn: int | None  # images that were looked at, where these are not all
    untold: tuple[str, ...]  # why some near-duplicates may not have been found
    output: str | None  # the files that were written
    grid: str | None

    def tables(self) -> Iterator[Table]:
        """Yield the images."""
        yield Table(f"To label next in {self.dataset}", [vars(image) for image in self.images])


@dataclass(frozen=True, kw_only=True)
class ClustersSummary(InNotebook):
    """The clusters of a data set's images, the largest first."""

    dataset: str
    seconds: float
    images: int
    unread: int  # images that could not be used
    clusters: tuple[ClusterAbout, ...]
    tried: dict[int, float]  # for auto: how well each number of clusters separates (silhouette)
    agreement: Agreement | None  # with the labels, if there are some
    output: str | None  # the files that were written
    page: str | None

    def tables(self) -> Iterator[Table]:
        """Yield the clusters."""
        rows = [vars(one) | {"central": ", ".join(one.central[:3])} for one in self.clusters]
        yield Table(f"Clusters of {self.dataset}", rows)
