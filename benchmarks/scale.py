"""How much the benchmarks measure: all of it, or only whether they run."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """How much is measured."""

    rounds: int
    images: int  # of a cold extraction
    slow: int  # of one by a large backbone
    large: int  # of one of photographs of 12 megapixels
    changing: int  # of one that is called again
    many: int  # beside `images`, for the growth of memory
    rows: int  # read from a store
    keys: int  # looked up
    side: int  # of the images, in pixels, at most
    heads: int
    epochs: int  # of each head
    digits: int  # of the sample's 1,797
    resplits: int  # of them
    calibrations: int  # resplits, for probabilities
    labelled: int  # images with several labels, or with a number
    manifest: int  # rows
    listed: int  # files
    tiny: tuple[int, int]  # images, few and many
    reviewed: int  # images on a page


FULL = Scale(
    3,
    3000,
    300,
    200,
    300,
    30_000,
    51_200,
    1_000_000,
    side=224,
    heads=100,
    epochs=10,
    digits=1797,
    resplits=20,
    calibrations=50,
    labelled=1500,
    manifest=10_000_000,
    listed=200_000,
    tiny=(100_000, 1_000_000),
    reviewed=100_000,
)
# That the benchmarks run is all that is tried; smaller, and bfloat16 would be too far off.
QUICK = Scale(
    1,
    40,
    8,
    4,
    20,
    80,
    6_400,
    10_000,
    side=96,
    heads=5,
    epochs=2,
    digits=200,
    resplits=2,
    calibrations=2,
    labelled=60,
    manifest=10_000,
    listed=1000,
    tiny=(40, 80),
    reviewed=200,
)
