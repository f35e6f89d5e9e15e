"""What came of merging two stores: what was taken over, and what was not and why."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from stores.errors import NewerFormat, StoreError, StoreFull, StoreReadOnly, StoreRefused


@dataclass
class Merged:
    """Counts of what was taken over, and a line on each thing that was not."""

    features: int = 0
    shards: int = 0
    datasets: int = 0
    decisions: int = 0  # of people on images of data sets that both have
    quantized: int = 0  # models
    runs: int = 0
    looks: int = 0  # at the test split
    bytes: int = 0
    left: list[str] = field(default_factory=list)  # whole, and not taken over all the same
    damaged: list[str] = field(default_factory=list)

    @contextmanager
    def reported(self, what: str, *, here: bool = False) -> Iterator[None]:
        """Report where the block finds a thing damaged, unreadable or newer; and go on.

        What cannot be read or written `here`, in the store that takes over, is raised, and so is a
        lost connection to either store: another try may succeed.
        """
        try:
            yield
        except (StoreReadOnly, StoreFull, StoreRefused):
            raise  # nothing more can be taken over
        except NewerFormat as error:
            self.left.append(f"{what}: {error}")
        except StoreError as error:
            self.damaged.append(f"{what}: {error}")
        except OSError as error:
            if here or error.errno is None:  # the system's own errors have a number
                raise
            self.damaged.append(f"{what}: {error}")
