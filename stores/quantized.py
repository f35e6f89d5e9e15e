"""The quantised models of `--precision int8` that a store keeps, and the recipes that name them.

A recipe is known before anything is extracted, and its features must stay the same. So a backbone
is quantised first, once for a data set, and kept in `STORE/quantized/`; all that asks for the same
afterwards finds that model, whichever images have been added since. The recipe names it in
`backbone_arguments`: the digest of the images that it was calibrated on, that of the model, and
NNCF's version. Thus the fingerprints of all other recipes are as they were, and a later `predict`
finds the model by the recipe of its run. A model that was changed, or quantised again with another
result, has another digest: it is refused, or its features are another recipe's.

Nothing kept is executed as code: OpenVINO reads it as a graph, after its digest was compared.
"""

import hashlib
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from stores.errors import CorruptStore, NotInStore, StoreError
from stores.features.layers import read_layers
from stores.features.recipe import Recipe, stored_recipes
from stores.int8_recipes import ARGUMENTS, model_named_by
from stores.layout import locate
from stores.storage.digests import file_digests, json_digest
from stores.storage.garbage import Garbage, aged
from stores.storage.json_files import ABSURD, as_record, read_object
from stores.storage.location import Location, StoreLike
from stores.storage.safe_files import read_bytes, write_new

log = logging.getLogger("gargalo.store")

RECORD, MODEL, VALUES, PROBE = "quantized.json", "model.xml", "model.bin", "probe.npy"
FILES = (MODEL, VALUES, PROBE)
_FORMAT = 1
_FIELDS = ("format", "asked", "made", "gate", "sha256", "digest")
MOST_LOST = 0.5  # percentage points


@dataclass(frozen=True)
class Gate:
    """What a quantised model costs and gains against float32, on train images of its data set."""

    images: int
    accuracy: float  # of a logistic head by folds
    accuracy_at_float32: float
    speed: float  # images/s of the forward pass
    speed_at_float32: float
    mean_difference: float  # of the features: the mean over the rows of ‖Δ‖ / ‖feature‖

    @property
    def lost(self) -> float:
        """The accuracy that is lost, in percentage points."""
        return round(100 * (self.accuracy_at_float32 - self.accuracy), 6)

    @property
    def refusal(self) -> str:
        """Why the model is not used, with figures; empty if it is."""
        most = max(MOST_LOST, 100 / max(1, self.images))  # one image decides nothing
        if self.lost > round(most, 6):
            return (
                f"a logistic head by folds loses {self.lost:.2f} points of accuracy on "
                f"{self.images} train images ({100 * self.accuracy:.2f}%, float32 "
                f"{100 * self.accuracy_at_float32:.2f}%), expected at most {most:.2g}"
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


@dataclass(frozen=True)
class Made:
    """How a model was quantised."""

    calibration: str  # SHA-256 of the keys of the images that it was calibrated on
    images: int  # how many these are
    seed: int  # that they were drawn by
    nncf: str  # its version


@dataclass(frozen=True)
class Quantized:
    """A quantised model in a store."""

    place: Location
    asked: Asked
    made: Made
    gate: Gate
    sha256: dict[str, str]  # of the files

    @property
    def arguments(self) -> tuple[tuple[str, str], ...]:
        """What names the model in a recipe."""
        model = json_digest({name: self.sha256[name] for name in (MODEL, VALUES)})
        named = (self.made.calibration, model, self.made.nncf)
        return tuple(zip(ARGUMENTS, named, strict=True))

    def read(self, name: str) -> bytes:
        """Return a file's bytes; raises CorruptStore if they are not those of the record."""
        path = (self.place / name).path
        try:
            content = read_bytes(path)
        except FileNotFoundError as error:
            raise damaged_model(self.place / name, "the file is gone") from error
        if hashlib.sha256(content).hexdigest() != self.sha256[name]:
            raise damaged_model(self.place / name, f"its digest is not that in {RECORD}")
        return content


def model_place(store: Location, asked: Asked) -> Location:
    """Return where the model that is asked for is kept."""
    return store / "quantized" / json_digest(asdict(asked))[:16]


def model_places(store: Location) -> list[Location]:
    """Return the folders of the models of a store, whole or not."""
    folder = store / "quantized"
    folder.refresh()
    return [place for place in folder.folders() if place.name != "tmp"]


@contextmanager
def keeping(store: Location, asked: Asked, *, made: Made, gate: Gate) -> Iterator[Path]:
    """Give an empty folder for FILES; afterwards it is the model that is asked for, or was before.

    One that is kept already stays, unless it is damaged. Raises as `Location.publish_folder`.
    """
    place = model_place(store, asked)
    tmp = store / "quantized" / "tmp"
    with place.publish_folder(tmp=tmp, is_whole=lambda: is_whole(place)) as draft:
        yield draft
        about = {"asked": asdict(asked), "made": asdict(made), "gate": asdict(gate)}
        body = {"format": _FORMAT, **about, "sha256": file_digests(draft)}
        text = json.dumps(body | {"digest": json_digest(body)}, indent=2)
        write_new(draft / RECORD, text.encode())


def find_kept(store: Location, asked: Asked) -> Quantized | None:
    """Return the kept model that is asked for; None if none is.

    Raises CorruptStore if its record is damaged or gone: quantised again, its files might be others
    than those that stored features are of.
    """
    place = model_place(store, asked)
    if place not in model_places(store):
        return None
    found = read_model(place)
    return found if found.asked == asked else None


def named_model(store: Location, recipe: Recipe) -> Quantized:
    """Return the model that a recipe names, of the store or a layer; raises NotInStore."""
    named = model_named_by(recipe)
    for one in (store, *read_layers(store)):
        with suppress(OSError):  # a layer may be out of reach
            for place in model_places(one):
                with suppress(CorruptStore, OSError):
                    found = read_model(place)
                    if dict(found.arguments) == named:
                        return found
    raise NotInStore(
        f"recipe {recipe}: its quantised model is not in {store / 'quantized'}; bring that folder "
        "back from a backup, or extract and train again"
    )


def read_model(place: Location) -> Quantized:
    """Return what a record has; raises CorruptStore, or OSError where it cannot be read."""
    try:
        about = read_object((place / RECORD).path)
    except FileNotFoundError as error:
        raise damaged_model(place / RECORD, "the file is gone") from error
    except CorruptStore as error:
        raise damaged_model(place / RECORD, "it is no JSON object") from error
    try:
        if tuple(about) != _FIELDS or about["format"] != _FORMAT:
            raise damaged_model(place / RECORD, "another format")
        if about["digest"] != json_digest({n: about[n] for n in _FIELDS if n != "digest"}):
            raise damaged_model(place / RECORD, "it has changed")
        if set(about["sha256"]) != set(FILES):
            raise damaged_model(place / RECORD, "not the digests of all files")
        return Quantized(
            place,
            as_record(Asked, about["asked"]),
            as_record(Made, about["made"]),
            as_record(Gate, about["gate"]),
            {str(name): str(digest) for name, digest in about["sha256"].items()},
        )
    except StoreError:
        raise
    except ABSURD as error:
        raise damaged_model(place / RECORD, "it is no record") from error


def is_whole(place: Location) -> bool:
    """Return whether a kept model is undamaged."""
    with suppress(OSError, StoreError):
        place.refresh()
        check_model(place)
        return True
    return False


def check_model(place: Location) -> Quantized:
    """Return a kept model after all of its files are read; raises CorruptStore, or OSError."""
    found = read_model(place)
    for name in FILES:
        found.read(name)
    return found


def unnamed_models(store: StoreLike, grace_seconds: float) -> Iterator[Garbage]:
    """Find the models that no recipe in the store names; none where one cannot be read."""
    root = locate(store)
    places = model_places(root)
    try:
        recipes = stored_recipes(root) if places else []
    except (StoreError, OSError) as error:
        log.warning("quantised models are all kept: %s", error)
        return
    named = [model_named_by(recipe) for recipe in recipes]
    for place in places:
        with suppress(CorruptStore, OSError):  # what is damaged is for `verify`
            if dict(read_model(place).arguments) not in named:
                reason = "a quantised backbone that no features are of"
                yield from aged(place, reason, grace_seconds)


def damaged_model(file: Location, reason: str) -> CorruptStore:
    """Return the error of a file of a kept model that is not what was written."""
    return CorruptStore(
        f"{file}: the quantised model is damaged: {reason}; bring its folder back from a backup, "
        "or delete it, and extract and train again"
    )
