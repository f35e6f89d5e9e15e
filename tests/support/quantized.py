"""A kept quantised model, which nobody runs."""

from dataclasses import replace

from stores.int8_recipes import at_int8
from stores.layout import locate
from stores.quantized import FILES, Asked, Gate, Made, find_kept, keeping
from tests.support.samples import RECIPE

GATE = Gate(2000, 0.985, 0.987, 464.0, 196.0, 0.12)
MADE = Made("c" * 64, 300, 0, "3.4.0")


def keep(store, *, recipe=RECIPE, dataset="photos", gate=GATE, made=MADE, content=b"graph"):
    """Keep a model whose files are `content`, unless one is kept; return the one that is."""
    root, asked = locate(store), Asked(recipe.fingerprint, dataset)
    with keeping(root, asked, made=made, gate=gate) as draft:
        for name in FILES:
            (draft / name).write_bytes(content)
    return find_kept(root, asked)


def named_by(model, recipe=RECIPE):
    """Return the recipe at int8 that names a model."""
    return at_int8(replace(recipe, compute_precision="int8"), model.arguments)
