"""A backbone's graph: what it tells, where it can be cut in two, and where its stages end."""

import json
import math
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from graphlib import TopologicalSorter
from typing import Any

from stores.layout import locate
from stores.storage.json_files import ABSURD
from stores.storage.location import StoreLike
from stores.storage.remembered import Question, recall, remember
from tasks.backbones.registry import Backbone
from tasks.execution.keras_backend import check_backend

Call = tuple[str, int]  # a layer's name, and which of its calls


def told_by_graph(
    question: Question,
    answer: Callable[[Any], list[str]],
    *,
    backbone: Backbone,
    image_size: tuple[int, int],
    store: StoreLike,
) -> list[str]:
    """Return the names that `answer` finds in a backbone's graph.

    They are remembered by the question: Keras is imported, and the graph built, only where the
    store does not remember them. `image_size` is height and width in pixels. Raises InputError
    where the backbone refuses it.
    """
    if remembered := recall(locate(store), question):
        with suppress(*ABSURD):  # it was not this software that remembered it
            return [str(name) for name in json.loads(remembered)]
    check_backend()
    names = answer(build_graph(backbone, image_size))
    remember(locate(store), question, json.dumps(names))
    return names


def build_graph(backbone: Backbone, image_size: tuple[int, int]) -> Any:  # noqa: ANN401  a model
    """Return a backbone with whatever weights, its layers named as where weights are loaded."""
    from tasks.execution.checked_keras import keras

    check_backend()  # before the session: with it a program's dtype policy is forgotten
    keras.backend.clear_session(free_memory=False)  # names of layers are numbered from nought
    return backbone.build(image_size)


def cut_points(model: Any) -> list[str]:  # noqa: ANN401  a functional Keras model
    """Return the layers through which every path from input to output passes, in order.

    Cut there, the model falls into two of which the second needs nothing from the first but that
    layer's output: no residual block is cut in half. The input and the output are among them.
    Operations that are no layers, layers called several times, and models within the model, whose
    outputs cannot be asked for by name, are passed over.
    """
    before = _predecessors(model)
    order = list(TopologicalSorter(before).static_order())
    place = {call: n for n, call in enumerate(order)}
    reach: dict[Call, int] = {}  # the last place that takes a call's output
    for call, sources in before.items():
        for source in sources:
            reach[source] = max(reach.get(source, 0), place[call])
    times = Counter(name for name, _ in order)
    nameable = _nameable(model)
    cuts, furthest = [], 0
    for call in order:
        # No edge leads past it: where one did, there would be a way around.
        if furthest <= place[call] and call[0] in nameable and times[call[0]] == 1:
            cuts.append(call[0])
        furthest = max(furthest, reach.get(call, 0))
    return cuts


def stage_ends(model: Any) -> list[str]:  # noqa: ANN401  a functional Keras model
    """Return the last cut point of each stage, in order; the last is the output, where it has one.

    A stage begins where a map has at most half as many places as the one at the stage's start
    before: a convolution that only loses its border begins none. The images' own resolution is no
    stage, and a map that padding made larger ends none.
    """
    layers = {layer.name: layer for layer in model.layers}
    start = smallest = math.prod(model.input_shape[1:3])
    ends: list[str] = []
    for name in cut_points(model):
        shape = layers[name].output.shape
        places = math.prod(shape[1:3])
        if len(shape) != 4 or places > smallest:
            continue
        smallest = places
        if 2 * places <= start:
            start = places
            ends.append(name)
        elif ends:
            ends[-1] = name
    return ends


def _predecessors(model: Any) -> dict[Call, list[Call]]:  # noqa: ANN401
    """Return the calls of layers whose outputs each call takes, by Keras's own configuration."""
    return {
        (operation["name"], call): list(_sources(inbound))
        for operation in model.get_config()["layers"]
        for call, inbound in enumerate(operation["inbound_nodes"] or [()])
    }


def _sources(inbound: Any) -> Iterator[Call]:  # noqa: ANN401
    """Yield what a call's arguments, as Keras serialises them, come from."""
    if isinstance(inbound, dict):
        if "keras_history" in inbound:
            name, call, _ = inbound["keras_history"]
            yield name, call
            return
        inbound = inbound.values()
    elif not isinstance(inbound, list | tuple):
        return
    for part in inbound:
        yield from _sources(part)


def _nameable(model: Any) -> set[str]:  # noqa: ANN401
    from tasks.execution.checked_keras import keras

    return {layer.name for layer in model.layers if not isinstance(layer, keras.Model)}
