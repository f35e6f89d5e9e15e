"""Features as an array, computed where they are missing: `gargalo.features(FOLDER-OR-DATASET)`.

From Python: it has no command, since an array goes to no terminal.

Example:
    >>> X, paths = gargalo.features("photos", image_size=160)
    >>> X.shape
"""

from flows.artifacts import run_name
from flows.extract import begin_stage, extract_stage
from flows.orchestration.served_flow import flow
from flows.parameters.features import ExtractParameters
from flows.summaries.features import Features
from stores.features.store import FeatureStore
from stores.keys import from_arrow
from tasks.errors import InputError


# As of flows.extract: while one shard is written, the next is computed.
@flow(name="features", flow_run_name=run_name, threads=2)
def features(source: str, *, parameters: ExtractParameters = ExtractParameters()) -> Features:
    """Return the features of images and their paths; those missing in the store are computed.

    The array has a row an image file, in the order of the paths, which are relative to the folder.
    Files that cannot be used have none; copies have the same row.

    Args:
        source: Folder of images, with or without class folders, or the name of a data set.
        parameters: Which features, which data set, and where they are kept.
    """
    if len(parameters.tap) > 1:
        raise InputError(f"--tap {', '.join(parameters.tap)}: expected one tap, received several")
    parameters.read_through_layers()
    manifest, begun = begin_stage(source, parameters)
    manifest, summary = extract_stage(manifest, parameters, begun)
    accepted = manifest.of_status("accepted")
    stored = FeatureStore(parameters.store, summary.recipes[0].recipe)
    return Features(stored.read(from_arrow(accepted["key"])), accepted["path"].to_pylist())
