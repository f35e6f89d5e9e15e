"""The names of methods, for --help, which imports nothing else of them."""

from typing import Literal

LabelMethod = Literal["auto", "typical", "uncertain"]
