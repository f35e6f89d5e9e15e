"""matplotlib as it comes: a user's own settings neither change a picture nor break it."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib.style


@contextmanager
def default_settings() -> Iterator[None]:
    """Draw, in the block, under matplotlib's default settings, with `$` as an ordinary character.

    A figure is made and written in one block, without pyplot.
    """
    with (
        matplotlib.style.context(["default", {"text.parse_math": False}]),
        warnings.catch_warnings(),
    ):
        # DejaVu Sans has no Chinese, for one: a box takes the place of such a letter.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        yield
