"""Near-duplicates: copies, crops and bursts of one picture, found by an absolute criterion."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.evaluation.alignment import aligned_correlation
from tasks.evaluation.indexed_pairs import MOST_INDEXED
from tasks.evaluation.likeness import (
    MOST_COMPARED,
    MOST_PAIRS,
    SMALL_CLASS,
    TIMES,
    Signal,
    by_features,
    by_pixels,
    strangers,
)
from tasks.evaluation.similar_pairs import NO_PAIRS, Places, SimilarPairs
from tasks.evaluation.vector_blocks import Cosines, Rows, flat
from tasks.evaluation.vector_index import can_index
from tasks.heads.examples import MemoryStream

FEWEST = 40  # images
# Crops are less alike than copies. So whatever is as alike by features as the most alike strangers
# should be is aligned by its pixels, too. Of such strangers among 3,000 photographs none correlated
# by more than 0.91 then, and of crops with 80 to 95% of a picture 99% did.
TIMES_TO_ALIGN = 1.0
STRANGERS = 0.05  # expected among all pairs that correlate enough
_CALIBRATING = 1000  # pairs drawn by chance, by which strangers' correlations are known
_PAIRS_AT_ONCE = 1024

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Pair:
    """Two images that are almost the same, by their positions."""

    first: int
    second: int
    similarity: float  # the cosine of their features
    by: str  # "pixels" or "features"


@dataclass(frozen=True)
class NearDuplicates:
    """What a search found, the most alike first, and why more may be there."""

    pairs: tuple[Pair, ...] = ()  # in different parts
    within: tuple[Pair, ...] = ()  # in one part
    crowded: int = 0  # pairs in different parts that features alone call copies, but cannot tell
    untold: tuple[str, ...] = ()  # why some, or all, may not have been found
    searched: bool = True
    table: str = ""  # the file that has the groups, once it is written


def not_searched(reason: str) -> NearDuplicates:
    """Return the result of a search that was not made."""
    return NearDuplicates(untold=(reason,), searched=False)


def why_not(count: int) -> str:
    """Return why so many images cannot be searched; empty where they can."""
    if count < FEWEST:
        return f"{count:,} images are too few to compare"
    if count > MOST_INDEXED:
        return f"{count:,} images are too many to compare; {MOST_INDEXED:,} can be"
    if count > MOST_COMPARED and not can_index():
        return (
            f"{count:,} images are too many to compare each with each; an index can, up to "
            f"{MOST_INDEXED:,}: run pip install 'gargalo[index]'"
        )
    return ""


def near_duplicates(
    features: NDArray[np.float32] | Rows,
    thumbnails: NDArray[np.uint8],
    labels: NDArray[np.int64],
    parts: Sequence[str],
) -> NearDuplicates:
    """Return all pairs of near-duplicates, in different parts (splits, or folds) and within them.

    By the pixels of `thumbnails` (n, side, side), grey, as they are, mirrored, and aligned (zeros
    where there is none), and by `features` (n, numbers), in memory or read when they are needed.
    How alike copies are follows from how alike strangers are, and not from the images around a
    pair: it is found however many more copies there are.
    """
    count = len(labels)
    if reason := why_not(count):
        return not_searched(reason)
    stream = MemoryStream(features) if isinstance(features, np.ndarray) else features
    cosines = Cosines(stream, count)
    pixels, kinds = by_pixels(thumbnails, labels), by_features(cosines, labels)
    copies = pixels.pairs(TIMES) if pixels and pixels.separates else NO_PAIRS
    alike = kinds.pairs(TIMES_TO_ALIGN) if kinds and kinds.separates else NO_PAIRS
    shown = np.asarray(thumbnails.any(axis=(1, 2)))
    similarity = cosines.of(alike.first, alike.second)
    near = similarity >= (kinds.strangers.limit(TIMES) if kinds else 1.0)
    same = _same_when_aligned(thumbnails, shown, alike)
    alone = near & ~same
    seen = shown[alike.first] & shown[alike.second]
    believed = _believed(alone, same, seen, count)
    found = {
        **_named(alike, believed, similarity, "features"),
        **_named(alike, same, similarity, "pixels"),
        **_named(copies, None, cosines.of(copies.first, copies.second), "pixels"),
    }
    doubtful = _named(alike, alone & ~believed, similarity, "features").keys() - found.keys()
    pairs = sorted(found.values(), key=lambda pair: (-pair.similarity, pair.first, pair.second))
    return NearDuplicates(
        tuple(pair for pair in pairs if parts[pair.first] != parts[pair.second]),
        tuple(pair for pair in pairs if parts[pair.first] == parts[pair.second]),
        sum(parts[first] != parts[second] for first, second in doubtful),
        tuple(_untold(shown, pixels, kinds, max(copies.left_out, alike.left_out))),
    )


def _named(
    pairs: SimilarPairs, chosen: Flags | None, similarity: NDArray[np.float32], by: str
) -> dict[tuple[int, int], Pair]:
    columns = (pairs.first, pairs.second, similarity)
    rows = (column.tolist() if chosen is None else column[chosen].tolist() for column in columns)
    return {(one, other): Pair(one, other, at, by) for one, other, at in zip(*rows, strict=True)}


def _believed(alone: Flags, same: Flags, seen: Flags, images: int) -> Flags:
    """Return which pairs that only features call copies are counted as such.

    Features show the kind of a picture, too. Where they pair an image with more than one whose
    pixels, where they are `seen`, do not match, and do so more often than these match, that is of
    a kind: frames of a film, say, or one product.
    """
    few = int((alone & seen).sum()) <= max(images, int((same & seen).sum()))
    return alone & (~seen | few)


def _same_when_aligned(thumbnails: NDArray[np.uint8], shown: Flags, alike: SimilarPairs) -> Flags:
    """Return which pairs match by more than any of so many strangers would."""
    places = np.flatnonzero(shown)
    if not len(alike.first) or len(places) < FEWEST:
        return np.zeros(len(alike.first), np.bool_)
    first, second = np.random.default_rng(0).choice(places, (2, _CALIBRATING))
    other = first != second
    apart = _aligned(thumbnails, first[other], second[other], drop_hopeless=False)
    limit = strangers(apart, STRANGERS / len(alike.first)).limit()
    matching = _aligned(thumbnails, alike.first, alike.second, drop_hopeless=True)
    return (matching >= limit) & shown[alike.first] & shown[alike.second]


def _aligned(
    thumbnails: NDArray[np.uint8], first: Places, second: Places, *, drop_hopeless: bool
) -> NDArray[np.float64]:
    """Return how pairs correlate where either is moved onto the other, mirrored if that is nearer.

    A crop is moved onto the whole better than the whole onto a crop.
    """
    parts = [np.empty(0)]
    for start in range(0, len(first), _PAIRS_AT_ONCE):
        one, other = (
            thumbnails[places[start : start + _PAIRS_AT_ONCE]] for places in (first, second)
        )
        turned = other[:, :, ::-1]
        nearer = (flat(one) * (flat(turned) - flat(other))).sum(axis=1) > 0
        other = np.where(nearer[:, np.newaxis, np.newaxis], turned, other)
        parts.append(
            np.maximum(
                aligned_correlation(one, other, drop_hopeless=drop_hopeless),
                aligned_correlation(other, one, drop_hopeless=drop_hopeless),
            )
        )
    return np.concatenate(parts)


def _untold(
    shown: Flags, pixels: Signal | None, kinds: Signal | None, left_out: int
) -> Iterator[str]:
    if len(shown) > MOST_COMPARED:
        yield f"{len(shown):,} images are compared by an index, which misses some pairs"
    unread = int((~shown).sum())
    if unread:
        yield f"the files of {unread:,} of {len(shown):,} images are gone or cannot be read"
    if pixels and not pixels.separates:
        yield "images are too similar by their pixels"
    if not kinds:
        yield f"no class has {SMALL_CLASS} images, so only pixels were compared"
    elif not kinds.separates:
        yield "images are too similar by their features"
    if left_out:
        yield f"{left_out:,} pairs more than the {MOST_PAIRS:,} that were looked at are similar"
