"""The paths of images that a report shows, by their keys."""

import pyarrow.compute as pc

from stores.keys import Keys, as_arrow
from stores.manifest import Images


def paths_of(images: Images, keys: Keys) -> dict[bytes, str]:
    """Return the paths of some images, (n, 32); of those that are not listed any more, none."""
    found = images.paths.take(pc.index_in(as_arrow(keys), as_arrow(images.keys))).to_pylist()
    return {key.tobytes(): path for key, path in zip(keys, found, strict=True) if path is not None}
