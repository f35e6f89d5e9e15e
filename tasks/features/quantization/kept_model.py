"""The quantised models of `--precision int8` that a store keeps, and the recipes that name them.

A recipe is known before anything is extracted, and its features must stay the same. So a backbone
is quantised first, once for a data set and seed, and kept in `STORE/quantized/`; all that asks for
the same afterwards finds that model, whichever images have been added since. The recipe names it
in `backbone_arguments`: the digest of the images that it was calibrated on, that of the model, and
NNCF's version. Thus the fingerprints of all other recipes are as they were, and a later `predict`
finds the model by the recipe of its run. A model that was changed, or quantised again with another
result, has another digest: it is refused, or its features are another recipe's.

Nothing kept is executed as code: OpenVINO reads it as a graph, after its digest was compared.
"""

import hashlib
import json
import logging
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from stores.errors import CorruptStore
from stores.features.recipe import Recipe
from stores.storage.digests import file_digests, json_digest
from stores.storage.json_files import ABSURD, as_record, read_object
from stores.storage.location import Location
from stores.storage.safe_files import is_file, read_bytes, write_new
from tasks.errors import InputError

log = logging.getLogger("gargalo.extract")

RECORD, MODEL, VALUES, PROBE = "quantized.json", "model.xml", "model.bin", "probe.npy"
_FORMAT = 1
_FIELDS = ("format", "asked", "calibration", "images", "nncf", "gate", "sha256", "digest")
_ARGUMENTS = ("int8_calibration", "int8_model", "int8_nncf")
MOST_LOST = 0.5  # percentage points


@dataclass(frozen=True)
class Gate:
    """What a quantised model costs and gains against float32, on train images of its data set."""

    images: int
    accuracy: float  # of a logistic head by folds
    accuracy_at_float32: float
    speed: float  # images/s
    speed_at_float32: float
    mean_difference: float  # of the features: the mean over the rows of ‖Δ‖ / ‖feature‖

    @property
    def lost(self) -> float:
        """The accuracy that is lost, in percentage points."""
        return round(100 * (self.accuracy_at_float32 - self.accuracy), 6)

    @property
    def refusal(self) -> str:
        """Why the model is not used, with figures; empty if it is."""
        if self.lost > MOST_LOST:
            return (
                f"a logistic head by folds loses {self.lost:.2f} points of accuracy on "
                f"{self.images} train images ({100 * self.accuracy:.2f}%, float32 "
                f"{100 * self.accuracy_at_float32:.2f}%), expected at most {MOST_LOST}"
            )
        if self.speed <= self.speed_at_float32:
            return (
                f"it is not faster on this CPU ({self.speed:.0f} images/s, float32 "
                f"{self.speed_at_float32:.0f})"
            )
        return ""


@dataclass(frozen=True)
class Asked:
    """What a model is quantised for; the next that asks for the same gets the same model."""

    float32: str  # the fingerprint of the recipe at float32
    dataset: str
    seed: int  # of the draw of the calibration images


@dataclass(frozen=True)
class Quantized:
    """A quantised model in a store."""

    place: Location
    asked: Asked
    calibration: str  # SHA-256 of the keys of the images that it was calibrated on
    images: int  # how many these are
    nncf: str  # its version
    gate: Gate
    sha256: dict[str, str]  # of the files

    @property
    def arguments(self) -> tuple[tuple[str, str], ...]:
        """What names the model in a recipe."""
        model = json_digest({name: self.sha256[name] for name in (MODEL, VALUES)})
        return tuple(zip(_ARGUMENTS, (self.calibration, model, self.nncf), strict=True))

    def read(self, name: str) -> bytes:
        """Return a file's bytes; raises InputError if they are not those of the record."""
        path = (self.place / name).path
        try:
            content = read_bytes(path)
        except OSError as error:
            raise _damaged(self.place, f"{name}: {error.strerror}") from error
        if hashlib.sha256(content).hexdigest() != self.sha256[name]:
            raise _damaged(self.place, f"the digest of {name} is not that of its record")
        return content


def at_float32(recipe: Recipe) -> Recipe:
    """Return the recipe at float32, of which a recipe at int8 is the quicker form."""
    others = tuple(pair for pair in recipe.backbone_arguments if pair[0] not in _ARGUMENTS)
    return replace(recipe, compute_precision="float32", dtype="float32", backbone_arguments=others)


def at_int8(recipe: Recipe, model: Quantized) -> Recipe:
    """Return a recipe with its backbone quantised."""
    named = tuple(sorted((*recipe.backbone_arguments, *model.arguments)))
    return replace(recipe, compute_precision="int8", backbone_arguments=named)


def place_of(store: Location, asked: Asked) -> Location:
    """Return where the model that is asked for is kept."""
    return store / "quantized" / json_digest(asdict(asked))[:16]


def write_record(folder: Path, **about: Any) -> None:  # noqa: ANN401
    """Write the record of a quantised model, with the digests of the files beside it."""
    body = {"format": _FORMAT, **about, "sha256": file_digests(folder)}
    text = json.dumps(body | {"digest": json_digest(body)}, indent=2)
    write_new(folder / RECORD, text.encode())


def find_kept(store: Location, asked: Asked) -> Quantized | None:
    """Return the kept model that is asked for; None if none is, or its record is damaged."""
    place = place_of(store, asked)
    place.refresh()
    if not is_file((place / RECORD).path):
        return None
    try:
        found = _read(place)
    except (OSError, *ABSURD) as error:
        reason = " ".join(str(error).split())[:200]
        log.warning("%s: the quantised model is damaged: %s; it is made again", place, reason)
        return None
    return found if found.asked == asked else None


def named_model(store: Location, recipe: Recipe) -> Quantized:
    """Return the model that a recipe names; raises InputError if the store does not have it."""
    named = {pair for pair in recipe.backbone_arguments if pair[0] in _ARGUMENTS}
    folder = store / "quantized"
    folder.refresh()
    for place in folder.folders():
        place.refresh()
        with suppress(OSError, *ABSURD):
            found = _read(place)
            if set(found.arguments) == named:
                return found
    raise InputError(
        f"recipe {recipe}: its quantised model is not in {folder}; bring the folder back from a "
        "backup, or extract and train again"
    )


def is_whole(place: Location) -> bool:
    """Return whether a kept model is undamaged."""
    with suppress(OSError, InputError, *ABSURD):
        found = _read(place)
        return all(found.read(name) for name in found.sha256)
    return False


def _read(place: Location) -> Quantized:
    """Return what a record has; raises OSError, or one of ABSURD."""
    about = read_object((place / RECORD).path)
    if tuple(about) != _FIELDS or about["format"] != _FORMAT:
        raise CorruptStore(f"{RECORD} has another format")
    if about.pop("digest") != json_digest(about):
        raise CorruptStore(f"{RECORD} has changed")
    del about["format"]
    asked, gate = as_record(Asked, about.pop("asked")), as_record(Gate, about.pop("gate"))
    found = as_record(Quantized, about, place=place, asked=asked, gate=gate)
    if set(found.sha256) != {MODEL, VALUES, PROBE}:
        raise CorruptStore(f"{RECORD} has no digests of all files")
    return found


def _damaged(place: Location, reason: str) -> InputError:
    return InputError(
        f"{place}: the quantised model is damaged: {reason}; bring the folder back from a backup, "
        "or delete it, and extract and train again"
    )
