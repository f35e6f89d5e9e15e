"""Numbers of any size as people read them."""

import math

_DIGITS = 4  # that are significant; whole numbers have all of theirs
_LONG = 1e9  # from here on, and below its inverse, with an exponent


def in_digits(value: float) -> str:
    """Return a number with four significant digits, as 0.03142, 3.142 and 31,416."""
    size = abs(value)
    if not math.isfinite(value) or (size and not 1 / _LONG <= size < _LONG):
        return f"{value:.{_DIGITS}g}"
    places = _DIGITS - 1 - math.floor(math.log10(size)) if size else 0
    return f"{value:,.{max(0, places)}f}"
