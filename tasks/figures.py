"""matplotlib as it comes: a user's own settings and backend neither change a picture nor break it.

All that draws imports matplotlib from here.
"""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

# matplotlib refuses to be imported under a backend that it does not know. None is needed: figures
# are made and written without pyplot, by the canvas of their file's format.
_backend = os.environ.pop("MPLBACKEND", None)
try:
    import matplotlib as mpl
    import matplotlib.style
    from matplotlib.axes import Axes
    from matplotlib.colors import to_hex
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator, PercentFormatter
finally:
    if _backend is not None:
        os.environ["MPLBACKEND"] = _backend

__all__ = [
    "Axes",
    "Figure",
    "LogLocator",
    "MaxNLocator",
    "NullLocator",
    "PercentFormatter",
    "default_settings",
    "mpl",
    "to_hex",
]


@contextmanager
def default_settings() -> Iterator[None]:
    """Draw, in the block, under matplotlib's default settings, with `$` as an ordinary character.

    A figure is made and written in one block.
    """
    with (
        matplotlib.style.context(["default", {"text.parse_math": False}]),
        warnings.catch_warnings(),
    ):
        # DejaVu Sans has no Chinese, for one: a box takes the place of such a letter.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        yield
