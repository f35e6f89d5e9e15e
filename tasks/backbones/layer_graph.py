"""A backbone's graph of layers: where it can be cut in two, and where its stages end."""

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


def layers_found(
    question: Question,
    search: Callable[[Any], list[str]],
    *,
    backbone: Backbone,
    image_size: tuple[int, int],
    store: StoreLike,
) -> list[str]:
    """Return the names of the layers that `search` finds in a backbone's graph.

    The store remembers them by the question. Only if it does not, Keras is imported and the graph
    built. `image_size` is height and width in pixels. Raises InputError if the backbone does not
    accept it.
    """
    if remembered := recall(locate(store), question):
        with suppress(*ABSURD):  # an invalid answer is ignored
            return [str(name) for name in json.loads(remembered)]
    check_backend()
    names = search(build_graph(backbone, image_size))
    remember(locate(store), question, json.dumps(names))
    return names


def build_graph(backbone: Backbone, image_size: tuple[int, int]) -> Any:  # noqa: ANN401  a model
    """Return a backbone with arbitrary weights, and the layer names of `build_backbone`."""
    from tasks.execution.checked_keras import keras

    check_backend()  # before clear_session, which resets a program's dtype policy
    keras.backend.clear_session(free_memory=False)  # so that layer names are numbered from 0
    return backbone.build(image_size)


def cut_points(model: Any) -> list[str]:  # noqa: ANN401  a functional Keras model
    """Return the layers that every path from input to output passes, in order.

    At such a layer the model can be cut in two: the second part needs only this layer's output, and
    no residual block is split. The input and the output are included. Operations that are not
    layers, layers that are called several times, and nested models are skipped, because their
    outputs cannot be selected by name.
    """
    from tasks.execution.checked_keras import keras

    before = _predecessors(model)
    order = list(TopologicalSorter(before).static_order())
    place = {call: n for n, call in enumerate(order)}
    reach: dict[Call, int] = {}  # the last place that uses a call's output
    for call, sources in before.items():
        for source in sources:
            reach[source] = max(reach.get(source, 0), place[call])
    times = Counter(name for name, _ in order)
    nameable = {layer.name for layer in model.layers if not isinstance(layer, keras.Model)}
    cuts, furthest = [], 0
    for call in order:
        # No edge may skip it: that would be a path around it.
        if furthest <= place[call] and call[0] in nameable and times[call[0]] == 1:
            cuts.append(call[0])
        furthest = max(furthest, reach.get(call, 0))
    return cuts


def stage_ends(model: Any) -> list[str]:  # noqa: ANN401  a functional Keras model
    """Return the last cut point of each stage, in order, up to the output.

    A stage begins at a feature map with at most half as many positions as the first one of the
    stage before, so that a convolution without padding begins no stage. Layers at the resolution of
    the image are no stage, and a map that padding enlarged does not end one.
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
    """Return the calls of layers whose outputs each call uses, by Keras's configuration."""
    return {
        (operation["name"], call): list(_sources(inbound))
        for operation in model.get_config()["layers"]
        for call, inbound in enumerate(operation["inbound_nodes"] or [()])
    }


def _sources(inbound: Any) -> Iterator[Call]:  # noqa: ANN401
    """Yield the sources of a call's arguments, as serialized by Keras."""
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
