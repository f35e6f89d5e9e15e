"""The packages beside TensorFlow that decoded the images of a shard: a part of its producer.

They are named only where they decoded an image, so that all other features are those of the
producer that they always had.
"""

from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version

from stores.features.shard import Producer

_DECODERS = "decoders"


def with_decoders(producer: Producer, decoders: Iterable[str]) -> Producer:
    """Return an engine's producer with the versions of these packages."""
    versions = _versions(decoders)
    return {**producer, _DECODERS: versions} if versions else producer


def without_decoders(producer: Producer) -> Producer:
    """Return the producer of the engine alone."""
    return {name: value for name, value in producer.items() if name != _DECODERS}


def has_decoders(producer: Producer) -> bool:
    """Return whether other packages than TensorFlow decoded some of the images."""
    return bool(producer.get(_DECODERS))


def decoded_by_others(producer: Producer) -> bool:
    """Return whether other versions of these packages decoded than those that are installed."""
    stored = producer.get(_DECODERS) or {}
    return bool(stored) and stored != _versions(stored)


def _versions(decoders: Iterable[str]) -> dict[str, str]:
    return {name: _version(name) for name in sorted(decoders)}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"
