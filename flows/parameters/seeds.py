"""What `--seed` is the seed of: the split, the heads, and untrained weights."""

from stores.manifest import Manifest


def seed_for(given: int | None, manifest: Manifest | None) -> int:
    """Return the seed of heads and of untrained weights: the one given, or else the split's.

    A data set that is not ingested yet has 0.
    """
    if given is not None:
        return given
    return manifest.split_seed if manifest else 0
