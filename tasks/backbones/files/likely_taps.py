"""The tensors of a network that are likely features, the most useful first.

A tap is looked for among those on every way from the images to an output, so that no branch of a
block and no part of an attention is one. What comes after the last layer before class scores is
none.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from math import isqrt
from typing import Literal, NamedTuple

from tasks.backbones.files.steps import Step

TapKind = Literal["vector", "unknown", "tokens", "map"]
# A vector needs no pooling; of an unknown output of a Keras model, its pooling was chosen well.
_KINDS: tuple[TapKind, ...] = ("vector", "unknown", "tokens", "map")
# Of ImageNet's classes, with a background too; its 12,000 and 21,000 as timm and others have them.
_CLASSES = {1000, 1001, 10450, 11821, 21841, 21843}
_MOST_SPECIAL = 16  # class token and registers; the networks in use have 0 to 9
_LONGEST = 400  # of a name in a description, which has a maximum size


class Tap(NamedTuple):
    """A tensor that may be a feature."""

    name: str
    kind: TapKind
    shape: tuple[int, ...]
    role: Literal["output", "inner", "classes"]
    place: int  # among the steps


def likely_taps(steps: Sequence[Step], outputs: Sequence[int], size: tuple[int, int]) -> list[Tap]:
    """Return the likely taps of a network with outputs at these places, the best first.

    `size` is that of its images, height and width.
    """
    kinds = [_kind(step, size) for step in steps]
    found: dict[int, Tap] = {}
    for output in dict.fromkeys(outputs):
        for place, role in _of_output(steps, kinds, output):
            kind, shape = kinds[place], steps[place].shape
            inner = role == "inner"
            # That name is the only output's, whatever tensor has it.
            taken = inner and (place in outputs or steps[place].name == "output")
            if kind and shape is not None and not taken:
                found.setdefault(place, Tap(steps[place].name, kind, shape, role, place))
    return sorted(found.values(), key=_use)


def special_tokens(count: int, size: tuple[int, int]) -> int | None:
    """Return how many of a tap's tokens are no places of an image of a size; None: not to tell.

    The places are as many in a row and in a column as the image's sides have it.
    """
    height, width = size
    for special in range(min(_MOST_SPECIAL + 1, count)):
        places = count - special
        rows = isqrt(places * height // width) if width else 0
        if rows and places % rows == 0 and rows * width == places // rows * height:
            return special
    return None


def _use(tap: Tap) -> tuple[bool, int, bool, int]:
    return tap.role == "classes", _KINDS.index(tap.kind), tap.role != "output", -tap.place


def _kind(step: Step, size: tuple[int, int]) -> TapKind | None:
    """Return the kind of a step's tensor; None if it is not to be described, or no tap."""
    if not step.name or len(step.name) > _LONGEST or step.shape is None or len(step.shape) > 3:
        return None
    try:
        step.name.encode()  # TOML has no lone surrogates
    except UnicodeEncodeError:
        return None
    match step.shape:
        case (1, _):  # of a head with attention
            return None
        case (first, second, third) if size[0] == size[1] and second not in {first, third}:
            return None  # no map of a square
        case shape:
            kinds: tuple[TapKind, ...] = ("unknown", "vector", "tokens", "map")
            return kinds[len(shape)]


def _of_output(
    steps: Sequence[Step], kinds: Sequence[TapKind | None], output: int
) -> Iterator[tuple[int, Literal["output", "inner", "classes"]]]:
    """Yield the places of likely taps for one output, and what they are."""
    way = _way_to(steps, output)
    weighted = [place for place in way if steps[place].weighted]
    first, last = (weighted[0], weighted[-1]) if weighted else (0, -1)
    classifies = _classifies(steps, output)
    yield output, "classes" if classifies else "output"
    end = last if classifies else output
    usable = [p for p in _on_every_way(steps, way) if kinds[p] and first <= p < end]
    of_kind = {kind: [p for p in usable if kinds[p] == kind] for kind in _KINDS}
    # The last vector, and that before the last layer, which may be a projection.
    vectors = [*of_kind["vector"][-1:], *[p for p in of_kind["vector"] if p < last][-1:]]
    of_sides = {_sides(steps[place]): place for place in of_kind["map"]}  # the last of each
    tokens = _last_tokens([(place, steps[place].shape or ()) for place in of_kind["tokens"]])
    if kinds[output] == "tokens":  # they are the last
        tokens = []
    if kinds[output] == "map":
        of_sides.pop(_sides(steps[output]), None)
    for place in (*vectors, *tokens, *of_sides.values()):
        yield place, "inner"


def _last_tokens(tokens: Sequence[tuple[int, tuple[int, ...]]]) -> list[int]:
    """Return the place of the last tokens, [] where there are none.

    They have as many channels as most: a head's attention widens them. Those of a decoder, turned
    to (channels, tokens), are none: so many channels are at many places, and so many tokens at few.
    """
    channels = Counter(shape[1] for _, shape in tokens)
    straight = [one for one in tokens if channels[one[1][0]] <= channels[one[1][1]]]
    as_many = [one for one in straight if one[1][0] == straight[-1][1][0]]
    alike = Counter(shape[1] for _, shape in as_many)
    return [place for place, shape in as_many if alike[shape[1]] == max(alike.values())][-1:]


def _sides(step: Step) -> tuple[int, ...]:
    """Return the sides of a map in either layout: the two numbers that are most alike.

    Where they are not known, other channels may be other sides.
    """
    first, second, third = shape = step.shape or (0, 0, 0)
    if min(shape) < 0:
        return shape
    return (second, third) if abs(second - third) <= abs(first - second) else (first, second)


def _classifies(steps: Sequence[Step], output: int) -> bool:
    """Return whether an output is scores of classes: ImageNet's number, or softmax made them."""
    shape = steps[output].shape
    if shape is None or len(shape) > 1:
        return False
    if shape and shape[0] in _CLASSES:
        return True
    place = output
    while not steps[place].squashes:
        if steps[place].weighted or len(steps[place].sources) != 1:
            return False
        (place,) = steps[place].sources
    return True


def _way_to(steps: Sequence[Step], output: int) -> list[int]:
    """Return the places of the steps that an output is made of, and its own, in order."""
    needed = {output}
    for place in range(output, -1, -1):
        if place in needed:
            needed.update(steps[place].sources)
    return sorted(needed)


def _on_every_way(steps: Sequence[Step], way: Sequence[int]) -> Iterator[int]:
    """Yield the places that nothing goes past: no later step is made of an earlier one."""
    last_use = {source: place for place in way for source in steps[place].sources}
    reached = -1
    for place in way:
        if reached <= place:
            yield place
        reached = max(reached, last_use.get(place, place))
