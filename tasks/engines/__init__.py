"""What executes the backbone. A new engine is one module here and one line in `ENGINES`."""

import threading
from dataclasses import dataclass
from functools import lru_cache
from pkgutil import resolve_name
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from stores.recipe import Recipe
from tasks.backend import check_backend
from tasks.weights import Weights

ENGINES = {"keras": "tasks.engines.keras_engine:KerasEngine"}


@dataclass(frozen=True)
class Job:
    """What an engine computes: recipes that differ in nothing but tap, pooling and stored dtype."""

    recipes: tuple[Recipe, ...]
    weights: Weights
    engine: str = "keras"


class Engine(Protocol):
    """Pixels in, one array of features a recipe out."""

    name: str
    producer: dict[str, Any]  # what the shard says of who computed it
    feature_shapes: tuple[tuple[int, ...], ...]  # of one row, for each recipe

    def compute(self, pixels: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Return each recipe's rows (n, *shape) for pixels (n, height, width, 3), 0 to 255."""


_building = threading.Lock()


def load_engine(job: Job) -> Engine:
    """Return the engine of a job, kept in this process from one shard to the next.

    Raises InputError where it cannot be built, WeightsError where the weights do not fit.
    """
    check_backend()
    with _building:
        return _build(job)


@lru_cache(maxsize=1)
def _build(job: Job) -> Engine:
    engine: Engine = resolve_name(ENGINES[job.engine])(job)
    return engine
