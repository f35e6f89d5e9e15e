"""What is deployed: `prefect.yaml`, and the places that it leaves open."""

import json
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from tasks.datasets.digits_sample import NAME as SAMPLE
from tasks.errors import InputError

CONFIGURATION = Path(__file__).absolute().parent / "prefect.yaml"
_OPEN_PLACE = re.compile(r"\{\{ \$(\w+) \}\}")  # Prefect's, for a variable of the environment


def environment() -> dict[str, str]:
    """Return the environment in which `prefect.yaml` has no open places.

    Raises InputError where GARGALO_HOME or GARGALO_IMAGES is no folder, or GARGALO_SWEEP no file.
    """
    home = _folder("GARGALO_HOME", Path.cwd())
    places = {"GARGALO_HOME": str(home)}
    dataset, sweep = SAMPLE, "sweep_sample.toml"
    if os.environ.get("GARGALO_IMAGES"):
        images = _folder("GARGALO_IMAGES", home)
        places["GARGALO_IMAGES"] = str(images)
        dataset, sweep = images.name, "sweep.toml"
    places["GARGALO_DATASET"] = os.environ.get("GARGALO_DATASET", dataset)
    file = home / os.environ.get("GARGALO_SWEEP", CONFIGURATION.with_name(sweep))
    if not file.is_file():
        raise InputError(f"GARGALO_SWEEP: there is no file {file}")
    return dict(os.environ) | places | {"GARGALO_SWEEP": str(file.absolute())}


def deployments(places: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Yield the deployments of `prefect.yaml`, with nothing left open."""
    text = _OPEN_PLACE.sub(
        lambda found: json.dumps(places.get(found[1], ""))[1:-1], CONFIGURATION.read_text()
    )
    yield from yaml.safe_load(text)["deployments"]


def names_of(found: Iterable[dict[str, Any]]) -> list[str]:
    """Return the names of deployments as a server has them, FLOW/NAME."""
    return sorted(f"{one['entrypoint'].rpartition('.')[2]}/{one['name']}" for one in found)


def _folder(variable: str, otherwise: Path) -> Path:
    folder = otherwise / os.environ.get(variable, "")
    if not folder.is_dir():
        raise InputError(f"{variable}: there is no folder {folder}")
    return folder.absolute()
