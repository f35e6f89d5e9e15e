"""What came of merging two stores: what was taken over, and what was not and why."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from stores.errors import NewerFormat, StoreError, StoreFull, StoreReadOnly


@dataclass
class Merged:
    """Counts of what was taken over, and a line on each thing that was not."""

    features: int = 0
    shards: int = 0
    datasets: int = 0
    runs: int = 0
    looks: int = 0  # at the test split
    bytes: int = 0
    left: list[str] = field(default_factory=list)  # whole, and not taken over all the same
    damaged: list[str] = field(default_factory=list)

    @contextmanager
    def reported(self, what: str) -> Iterator[None]:
        """Report where the block finds a thing damaged, unreadable or newer; and go on."""
        try:
            yield
        except (StoreReadOnly, StoreFull):
            raise  # of the store that takes over: nothing more can be
        except NewerFormat as error:
            self.left.append(f"{what}: {error}")
        except (StoreError, OSError) as error:
            self.damaged.append(f"{what}: {error}")
