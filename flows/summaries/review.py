"""What a review returns when it was ended."""

from collections.abc import Iterator
from dataclasses import dataclass

from stores.in_notebook import InNotebook, Table


@dataclass(frozen=True)
class ReviewSummary(InNotebook):
    """How many decisions were made, and what holds of all that there are."""

    dataset: str
    folder: str
    store: str
    runs: tuple[str, ...]  # whose predictions were shown
    images: int
    decisions: int  # made while the page was open, by anybody
    relabelled: int  # images, by all decisions that hold
    excluded: int
    right: int  # marked as right
    new_classes: tuple[str, ...]

    def tables(self) -> Iterator[Table]:
        """Yield the numbers of images that were decided on."""
        names = ("decisions", "relabelled", "excluded", "right")
        rows = [{name: getattr(self, name) for name in names}]
        yield Table(f"Review of {self.dataset}: {self.images:,} images", rows)
