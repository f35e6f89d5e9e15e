"""matplotlib with its default settings, so that a user's settings do not change a figure."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib.style


@contextmanager
def default_settings() -> Iterator[None]:
    """Use matplotlib's default settings in the block, with `$` as an ordinary character.

    A figure has to be drawn and saved in one block, without pyplot.
    """
    with (
        matplotlib.style.context(["default", {"text.parse_math": False}]),
        warnings.catch_warnings(),
    ):
        # DejaVu Sans has no Chinese characters, for example; a box is drawn instead.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        yield
