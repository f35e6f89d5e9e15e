"""Which layers are trained: what `--unfreeze` says, and the layers of a backbone by name."""

from collections.abc import Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from stores.features.recipe import Recipe
from tasks.backbones.layer_graph import cut_points, layers_found
from tasks.backbones.registry import find_backbone
from tasks.errors import InputError, nearest, unknown
from tasks.finetune.specification import EVERYTHING, NOTHING


def layer_names(recipe: Recipe, store: Path) -> list[str]:
    """Return a backbone's layers, in order, up to the recipe's tap.

    Keras is imported only where the store does not remember them. Raises InputError for a tap that
    the backbone does not have.
    """
    question = {
        "what": "layers",
        "backbone": recipe.backbone,
        "arguments": repr(recipe.backbone_arguments),
        "image_size": repr(recipe.image_size),
        "tap": recipe.tap,
        "versions": repr([version(name) for name in ("gargalo", "keras")]),
    }
    return layers_found(
        question,
        partial(layers_up_to, tap=recipe.tap),
        backbone=find_backbone(recipe.backbone),
        image_size=recipe.image_size,
        store=store,
    )


def layers_up_to(base: Any, tap: str) -> list[str]:  # noqa: ANN401  a Keras model
    """Return the layers of a backbone, in its order, of which a tap is made."""
    from tasks.execution.checked_keras import keras
    from tasks.features.engines.keras_engine import tap_output

    needed = {layer.name for layer in keras.Model(base.input, tap_output(base, tap)).layers}
    return [layer.name for layer in base.layers if layer.name in needed]


def first_trained(asked: str, names: Sequence[str], backbone: str) -> str:
    """Return the first layer that is trained, by its name or by its number, counted from 0.

    Raises InputError for a layer that there is not, with the nearest names.
    """
    if asked == EVERYTHING or asked in names:
        return asked
    if asked.isdecimal() and int(asked) < len(names):
        return names[int(asked)]
    there = f"0 ({names[0]}) to {len(names) - 1} ({names[-1]})"
    if asked.removeprefix("-").isdecimal() or not nearest(asked, names):
        raise InputError(
            f"--unfreeze {asked}: {backbone} has the layers {there}; give a number, a name, or "
            f"{EVERYTHING!r}"
        )
    raise unknown("layer", asked, names, fix=f"of {backbone}; or its number, {there}")


def freeze(base: Any, names: Sequence[str], first: str) -> None:  # noqa: ANN401  a Keras model
    """Have only the layers of these from `first` on be trained, or all of them, or none."""
    start = {EVERYTHING: 0, NOTHING: len(names)}.get(first)
    trained = set(names[names.index(first) if start is None else start :])
    for layer in base.layers:
        layer.trainable = layer.name in trained


def last_frozen_cut(model: Any) -> str | None:  # noqa: ANN401  a Keras model
    """Return the last layer that every path passes through and before which nothing is trained.

    None where no weight comes before: then there is nothing to spare.
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
