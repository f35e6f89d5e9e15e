"""The recipe: everything that decides a feature's value, and nothing else."""

import hashlib
import json
import logging
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self

from stores.errors import CorruptStore, NewerFormat, NotInStore, newer_format
from stores.layout import locate
from stores.storage.json_files import ABSURD, as_record, parsed, read_object
from stores.storage.location import Location, StoreLike
from stores.storage.safe_files import IrregularFile, is_file

RECIPE_VERSION = 1
# Of `recipe.json`, and of the layout of the folder that it stands in.
FORMAT_VERSION = 1
MOST_PIXELS = 2**16  # of a side of an image
log = logging.getLogger("gargalo.store")
_FIX = (
    "the next extract with the same flags writes it again, and so does "
    "`python -m flows.maintain reindex`, from a shard"
)

AspectRatio = Literal["stretch", "crop", "pad"]
Pooling = Literal["avg", "max", "none", "cls", "mean-tokens", "cls+mean"]
StoredDtype = Literal["float32", "float16"]
Decode = Literal["exact", "fast"]
Precision = Literal["float32", "bfloat16", "int8"]


@dataclass(frozen=True)
class Recipe:
    """What is done to an image to get a feature; no field has a default, each is said.

    `weights` is `sha256:<digest of the file>`, `values-sha256:<digest of the loaded values>`,
    or for untrained weights `none:seed=<seed>,keras=<version>`.
    """

    version: int
    backbone: str
    backbone_arguments: tuple[tuple[str, Any], ...]
    weights: str
    image_size: tuple[int, int]  # height, width in pixels
    color_mode: str
    interpolation: str
    aspect_ratio: AspectRatio
    decode: Decode
    preprocessing: str
    tap: str
    pooling: Pooling
    compute_precision: Precision
    dtype: StoredDtype
    augmentation: str

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the canonical JSON, as 64 hexadecimal digits."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    def __str__(self) -> str:
        size = "×".join(str(side) for side in self.image_size)
        coarse = self.compute_precision != "float32"
        return (
            f"{self.fingerprint[:16]} ({self.backbone} {size}, tap {self.tap}, "
            f"pooling {self.pooling}, {self.dtype}"
            f"{f' computed at {self.compute_precision}' if coarse else ''})"
        )

    def to_json(self) -> str:
        """Return the canonical JSON: sorted names, no blanks, no NaN, ASCII only."""
        fields = asdict(self) | {"backbone_arguments": dict(self.backbone_arguments)}
        return json.dumps(fields, sort_keys=True, separators=(",", ":"), allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote; raises NewerFormat or CorruptStore."""
        try:
            fields = parsed(text)
            version = fields["version"]
        except ABSURD as error:
            raise CorruptStore(f"not a recipe: {text[:80]!r}") from error
        if not isinstance(version, int) or version > RECIPE_VERSION:
            raise newer_format("a recipe", version, RECIPE_VERSION)
        try:
            return cls._checked(fields)
        except ABSURD as error:
            reason = " ".join(str(error).split())[:200]
            raise CorruptStore(f"not a recipe: {reason}") from error

    @classmethod
    def _checked(cls, fields: dict[str, Any]) -> Self:
        arguments, decode = fields.pop("backbone_arguments"), fields.pop("decode")
        if not isinstance(arguments, dict) or not isinstance(decode, str):
            raise TypeError("backbone_arguments or decode")
        # Whoever decodes knows which decoders there are.
        found = as_record(
            cls, fields, backbone_arguments=tuple(sorted(arguments.items())), decode=decode
        )
        if not all(0 < side <= MOST_PIXELS for side in found.image_size):
            raise ValueError(f"image_size {found.image_size}")
        found.to_json()  # raises where a number is none
        return found


def write_recipe(recipe: Recipe, folder: Location) -> None:
    """Publish `recipe.json` in a recipe's folder, where it is not there yet."""
    place = folder / "recipe.json"
    if not is_file(place.path):
        fields = json.loads(recipe.to_json())
        about = {"format": FORMAT_VERSION, "sha256": recipe.fingerprint, "recipe": fields}
        place.publish(json.dumps(about, indent=2).encode(), tmp=folder / "tmp")


def read_recipe(folder: Location) -> Recipe:
    """Read a folder's `recipe.json`; raises FileNotFoundError, CorruptStore or NewerFormat."""
    path = (folder / "recipe.json").path
    try:
        about = read_object(path)
        version, sha256, fields = about["format"], about["sha256"], about["recipe"]
    except IrregularFile as error:
        raise CorruptStore(f"{error}; {_FIX}") from error
    except ABSURD as error:
        raise _damaged(path) from error
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise newer_format(f"{path}: features", version, FORMAT_VERSION, use="read them")
    try:
        recipe = Recipe.from_json(json.dumps(fields))
    except CorruptStore as error:
        raise _damaged(path) from error
    if recipe.fingerprint != sha256:
        raise _damaged(path)
    return recipe


def recipe_of(folder: Location) -> Recipe:
    """Return the recipe of a folder; raises NotInStore without one, and as `read_recipe`.

    CorruptStore is also raised where the recipe belongs to another folder.
    """
    try:
        recipe = read_recipe(folder)
    except FileNotFoundError as error:
        raise NotInStore(
            f"{folder}: recipe.json not found; `python -m flows.maintain reindex` restores it there"
        ) from error
    if not recipe.fingerprint.startswith(folder.name):
        raise CorruptStore(
            f"{folder / 'recipe.json'}: recipe {recipe} belongs to another folder; "
            "`python -m flows.maintain reindex` restores the right one there"
        )
    return recipe


def check_recipe(recipe: Recipe, folder: Location) -> None:
    """Raise CorruptStore where a recipe's folder is another's, whose first 16 digits are alike."""
    stored = read_recipe(folder)
    if stored.fingerprint != recipe.fingerprint:
        raise CorruptStore(
            f"{folder}: expected recipe {recipe.fingerprint}, found {stored.fingerprint}; only "
            "16 of its digits name the folder: move it away"
        )


def stored_recipes(store: StoreLike, *layers: Location, beginning: str = "") -> list[Recipe]:
    """Return the recipes that a store has a folder for, or a layer under it has.

    What cannot be read is logged and passed over; but where it is the store's own, and its
    fingerprint may have this `beginning`, that raises CorruptStore, NewerFormat or OSError.
    """
    found = {}
    for layer in layers:
        try:
            (layer / "features").refresh()
            there = (layer / "features").folders()
        except OSError as error:
            log.warning("a layer is passed over: %s", error)
            continue
        for folder in there:
            with suppress(CorruptStore, NewerFormat, OSError):
                found[folder.name] = read_recipe(folder)
    own = locate(store) / "features"
    own.refresh()
    for folder in own.folders():
        try:
            found[folder.name] = read_recipe(folder)
        except FileNotFoundError:
            continue  # its writer died before it, or it is gone just now
        except (CorruptStore, NewerFormat, OSError) as error:
            if folder.name.startswith(beginning[:16]):
                raise
            log.warning("%s; passed over", error)
    return [found[name] for name in sorted(found)]


def _damaged(path: Path) -> CorruptStore:
    return CorruptStore(f"{path}: the file is damaged; delete it: {_FIX}")
