"""What the flow `features` returns."""

from typing import NamedTuple

from stores.keys import Rows


class Features(NamedTuple):
    """Features (n, *shape), and the path of each row's image, relative to the data set's folder."""

    X: Rows
    paths: list[str]
