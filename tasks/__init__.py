"""The steps of the pipeline: pure functions first, each then made a Prefect task in one line."""

import os
from contextlib import suppress

# Keras imports matplotlib, which refuses that under a backend it does not know. Here, for whatever
# imports either passes here first: it is imported without, and then given the one that it knows.
if _backend := os.environ.pop("MPLBACKEND", None):
    import matplotlib as _matplotlib

    with suppress(ValueError):
        _matplotlib.rcParams["backend"] = _backend
        os.environ["MPLBACKEND"] = _backend
