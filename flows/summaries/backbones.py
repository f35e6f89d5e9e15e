"""What looking at a backbone's file returns."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

from stores.in_notebook import InNotebook, Table
from tasks.backbones.files.draft import Draft
from tasks.backbones.files.draft_text import draft_text


@dataclass(frozen=True)
class DescribeSummary(InNotebook):
    """The draft of a file's description, as values and as TOML.

    Shapes are those for one image, but that of the input; None is a side that varies, and a shape
    that is not known.
    """

    file: str
    kind: str
    preset: str
    input: dict[str, Any]
    image_size: tuple[int, int]
    outputs: list[dict[str, Any]]
    taps: list[dict[str, Any]]  # the most useful first
    tap: str
    toml: str
    action: Literal["describe"] = "describe"

    @classmethod
    def of(cls, draft: Draft) -> Self:
        """Return the summary of a draft."""
        network = draft.network
        name, shape = network.images
        return cls(
            file=draft.file,
            kind=draft.kind,
            preset=draft.preset,
            input={"name": name, "shape": _plain(shape), "layout": network.layout},
            image_size=network.size,
            outputs=[{"name": one.name, "shape": _plain(one.shape)} for one in network.outputs],
            taps=[
                {"name": one.name, "kind": one.kind, "shape": _plain(one.shape), "role": one.role}
                for one in draft.taps
            ],
            tap=draft.tap,
            toml=draft_text(draft),
        )

    def tables(self) -> Iterator[Table]:
        """Yield the likely taps."""
        yield Table(f"Likely taps of {self.file}", self.taps)


def _plain(shape: Sequence[int] | None) -> list[int | None] | None:
    return [None if side < 0 else side for side in shape] if shape else None
