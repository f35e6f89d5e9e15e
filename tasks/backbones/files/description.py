"""The description of a backbone's file: what the file itself does not say. TOML beside it."""

import json
import os
import re
import shlex
import tomllib
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from stores.features.recipe import MOST_PIXELS, AspectRatio
from tasks.errors import InputError, nearest, what_is_wrong
from tasks.execution.user_files import read_whole

Layout = Literal["NCHW", "NHWC"]
Preset = Literal["clip", "imagenet", "inception", "raw", "siglip"]
Interpolation = Literal["bilinear", "bicubic"]
# TOML has no tuples: a list is taken for one.
_FromList = Field(strict=False)
Three = Annotated[tuple[FiniteFloat, FiniteFloat, FiniteFloat], _FromList]
Deviation = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Pixels = Annotated[int, Field(gt=0, le=MOST_PIXELS)]
Sides = Annotated[tuple[Pixels, Pixels], _FromList]

# How the networks of each family were trained: torchvision's transforms (references/classification
# presets), OpenAI's and open_clip's preprocess, SigLIP's processor at Hugging Face, and
# tf.keras.applications.inception_v3; `raw` is 0 to 255.
_IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225), "scale": 1 / 255}
_HALVES = {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5), "scale": 1 / 255}
PRESETS: dict[Preset, dict[str, Any]] = {
    "imagenet": {**_IMAGENET, "aspect_ratio": "crop", "crop_fraction": 0.875},
    "clip": {
        "mean": (0.48145466, 0.4578275, 0.40821073),
        "std": (0.26862954, 0.26130258, 0.27577711),
        "scale": 1 / 255,
        "resize": "bicubic",
        "aspect_ratio": "crop",
    },
    "siglip": {**_HALVES, "resize": "bicubic"},
    "inception": {**_HALVES, "aspect_ratio": "crop", "crop_fraction": 0.875},
    "raw": {},
}
_LARGEST = 2**16  # bytes of a description
_UNQUOTED = re.compile(r"^\s*(\w+)\s*=\s*(?!true\b|false\b|inf\b|nan\b)([A-Za-z]\w*)", re.MULTILINE)


class Description(BaseModel):
    """What decides the features of a network in a file, beside the file.

    Pixels from 0 to 255 become (pixels × scale − mean) / std, in the order of `channels`. The image
    is resized to `image_size` / `crop_fraction`, and its centre is used. `tap` is what `output`
    stands for. Of tokens, the first is the class token if `class_token` is true, and
    `register_tokens` follow it; neither is part of a mean.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    image_size: Pixels | Sides | None = None  # height, width
    layout: Layout | None = None  # of the input
    map_layout: Layout | None = None  # of feature maps [default: as the input]
    channels: Literal["rgb", "bgr"] = "rgb"
    scale: Deviation = 1.0
    mean: Three = (0.0, 0.0, 0.0)
    std: Annotated[tuple[Deviation, Deviation, Deviation], _FromList] = (1.0, 1.0, 1.0)
    resize: Interpolation = "bilinear"
    aspect_ratio: AspectRatio = "stretch"
    crop_fraction: float = Field(1.0, ge=0.25, le=1)
    tap: str = "output"
    class_token: bool = True
    register_tokens: int = Field(0, ge=0, le=1024)


def description_path(path: Path) -> Path:
    """Return where the description of a file, or of a preset's folder, is: FILE.toml."""
    named = path if path.name not in {"", ".."} else Path(os.path.realpath(path))
    return Path(f"{named}.toml")


def describe_command(path: Path) -> str:
    """Return the command that drafts the description of a file."""
    return f"python -m flows.backbone describe {shlex.quote(str(path))}"


def read_description(
    path: Path,
    preset: Preset | None = None,
    own: Mapping[str, Any] | None = None,
    prepared: Callable[[Collection[str]], Mapping[str, Any]] = lambda _: {},
) -> Description:
    """Return the description beside a backbone's file; raises InputError.

    Its keys go before those that the file itself has: `own`, and how images are `prepared`, which
    is asked for what the description does not say, and not where a preset says that. A preset that
    is given goes before that of the description. Either of these needs no description.
    """
    place = description_path(path)
    values = _values(place) | ({"preset": preset} if preset else {})
    if "preset" not in values:
        values = {**prepared(values), **values}
    if not values:
        there = "says nothing" if place.exists() else "file not found"
        others = ", ".join(sorted(PRESETS.keys() - {"imagenet"}))
        drafted = f"`{describe_command(path)} > {shlex.quote(str(place))}`"
        raise InputError(
            f"{place}: {there}; it has to say how the network's images are prepared: write one "
            f'line, preset = "imagenet" (or {others}), or give --preset'
            f"{'' if path.is_dir() else f', or have it drafted by {drafted}'}"
        )
    where = place if place.exists() else path
    return described({**(own or {}), **values}, str(where))


def named_by(path: Path, tap: str, error: InputError) -> InputError:
    """Return the error of a tap that a file has not; of the description's tap, it names that."""
    place = description_path(path)
    with suppress(InputError):
        if _values(place).get("tap") == tap:
            return InputError(f"{place}: tap = {json.dumps(tap)}: {error}")
    return error


def _values(place: Path) -> dict[str, Any]:
    """Return what a description says; raises InputError. Without one, it says nothing."""
    text = ""
    try:
        text = read_whole(place, most=_LARGEST).decode("utf-8-sig")
        return tomllib.loads(text)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise InputError(f"{place}: cannot be read: {error.strerror}") from error
    except InputError as error:
        raise InputError(f"{place}: {error}") from error
    except ValueError as error:  # TOMLDecodeError and UnicodeDecodeError
        bare = _UNQUOTED.search(text)
        fix = f'; write {bare[1]} = "{bare[2]}", in quotes' if bare else ""
        raise InputError(f"{place}: not TOML: {error}{fix}") from error


def described(values: Mapping[str, Any], place: str) -> Description:
    """Return the description of these keys, over those of their preset; raises InputError."""
    own = dict(values)
    preset = own.pop("preset", "raw")
    if not isinstance(preset, str) or preset not in PRESETS:
        raise InputError(
            f"{place}: preset {preset!r}: expected one of {', '.join(sorted(PRESETS))}"
        )
    try:
        return Description.model_validate(PRESETS[preset] | own)
    except ValidationError as error:
        raise InputError(f"{place}: {_mistakes(error, own)}") from None


def _mistakes(error: ValidationError, values: Mapping[str, Any]) -> str:
    found = list[str]()
    for mistake in error.errors():
        key = str(mistake["loc"][0])
        if mistake["type"] == "extra_forbidden":
            known = ["preset", *Description.model_fields]
            near = nearest(key, known)
            hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(known)}"
            found.append(f"unknown key {key!r}: {hint}")
        elif key in {"mean", "std"}:
            positive = "positive " if key == "std" else ""
            found.append(
                f"{key}: expected three {positive}numbers, one a channel. Received: {values[key]!r}"
            )
        elif key == "image_size":
            found.append(
                f"{key}: expected pixels, from 1 to {MOST_PIXELS}, as 224 or as [height, width]. "
                f"Received: {values[key]!r}"
            )
        else:
            found.append(f"{key}: {what_is_wrong(dict(mistake))}")
    return "; ".join(dict.fromkeys(found))
