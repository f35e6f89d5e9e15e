"""Merging quantised models, which the recipes of features at int8 name."""

from stores.errors import StoreError
from stores.merge.result import Merged
from stores.quantized import FILES, RECORD, check_model, is_whole, model_places
from stores.storage.digests import json_digest
from stores.storage.location import Location
from stores.storage.safe_files import read_bytes, write_new


def merge_quantized(root: Location, source: Location, merged: Merged) -> None:
    """Take over the quantised models that are missing, each with its gate's verdict.

    Where another model was quantised here for the same, both are kept: by its own name the one from
    here, which is found for the next extraction, and the other for the features that it made.
    """
    for place in model_places(source):
        what, model, content = f"quantised model {place.name}", None, dict[str, bytes]()
        with merged.reported(what):
            model = check_model(place)
            content = {name: model.read(name) for name in FILES}
            content[RECORD] = read_bytes((place / RECORD).path)
        if model is None or RECORD not in content or model.arguments in _named_here(root):
            continue
        final = root / "quantized" / place.name
        if is_whole(final):
            both = {"place": place.name, "model": dict(model.arguments)}
            final = root / "quantized" / json_digest(both)[:16]
        with merged.reported(what, here=True):
            _publish(root, final, content)
            merged.quantized += 1
            merged.bytes += sum(map(len, content.values()))


def _publish(root: Location, final: Location, content: dict[str, bytes]) -> None:
    tmp = root / "quantized" / "tmp"
    with final.publish_folder(tmp=tmp, is_whole=lambda: is_whole(final)) as draft:
        for name, some in content.items():
            write_new(draft / name, some)


def _named_here(root: Location) -> list[tuple[tuple[str, str], ...]]:
    found: list[tuple[tuple[str, str], ...]] = []
    for place in model_places(root):
        try:
            found.append(check_model(place).arguments)
        except (StoreError, OSError):
            continue  # it is replaced, where this very one is taken over
    return found
