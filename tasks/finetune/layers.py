"""The trained layers: `--unfreeze`, and the layers of a backbone by name."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from stores.features.recipe import Recipe
from stores.storage.location import StoreLike
from tasks.backbones.files.backbone import is_keras_file, library_versions
from tasks.backbones.files.keras_file import backbone_of
from tasks.backbones.layer_graph import cut_points, layers_found
from tasks.errors import InputError, nearest, unknown
from tasks.finetune.specification import EVERYTHING, NOTHING


def layer_names(recipe: Recipe, store: StoreLike, *, file: str = "") -> list[str]:
    """Return a backbone's layers, in order, up to the recipe's tap.

    `file` is that of a backbone from one. Keras is imported only if the store does not remember
    the layers. Raises InputError for an unknown tap.
    """
    which = f" {recipe.weights}" if is_keras_file(recipe) else ""
    question = {
        "what": "layers",
        "backbone": f"{recipe.backbone}{which}",
        "arguments": repr(recipe.backbone_arguments),
        "image_size": repr(recipe.image_size),
        "tap": recipe.tap,
        "versions": repr(list(library_versions(recipe, "gargalo", "keras").values())),
    }
    return layers_found(
        question,
        partial(layers_up_to, tap=recipe.tap),
        backbone=backbone_of(recipe, file),
        image_size=recipe.image_size,
        store=store,
    )


def layers_up_to(base: Any, tap: str) -> list[str]:  # noqa: ANN401  a Keras model
    """Return the layers of a backbone up to a tap, in order."""
    from tasks.execution.checked_keras import keras
    from tasks.features.engines.keras_engine import tap_output

    needed = {layer.name for layer in keras.Model(base.input, tap_output(base, tap)).layers}
    return [layer.name for layer in base.layers if layer.name in needed]


def first_trained(layer: str, names: Sequence[str], backbone: str) -> str:
    """Return the name of the first trained layer, given by name or by number from 0.

    Raises InputError for an unknown layer, with the most similar names.
    """
    if layer == EVERYTHING or layer in names:
        return layer
    if layer.isdecimal() and int(layer) < len(names):
        return names[int(layer)]
    there = f"0 ({names[0]}) to {len(names) - 1} ({names[-1]})"
    if layer.removeprefix("-").isdecimal() or not nearest(layer, names):
        raise InputError(
            f"--unfreeze {layer}: {backbone} has the layers {there}; give a number, a name, or "
            f"{EVERYTHING!r}"
        )
    raise unknown("layer", layer, names, fix=f"of {backbone}; or its number, {there}")


def freeze(base: Any, names: Sequence[str], first: str) -> None:  # noqa: ANN401  a Keras model
    """Make the layers from `first` on trainable, or all of them, or none; freeze the others."""
    start = {EVERYTHING: 0, NOTHING: len(names)}.get(first)
    trained = set(names[names.index(first) if start is None else start :])
    for layer in base.layers:
        layer.trainable = layer.name in trained


def last_frozen_cut(model: Any) -> str | None:  # noqa: ANN401  a Keras model
    """Return the last layer that every path passes and before which nothing is trained.

    None if no layer with weights is before it, because then a cut saves no time.
    """
    from tasks.execution.checked_keras import keras

    found = None
    for name in cut_points(model):
        before = keras.Model(model.input, model.get_layer(name).output)
        if before.trainable_weights:
            break
        if before.weights:
            found = name
    return found
