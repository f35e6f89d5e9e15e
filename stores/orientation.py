"""How photographs with EXIF rotation are used. Light: `--help` imports it."""

from typing import Literal

# Turned as their EXIF data says, or as stored.
Orientation = Literal["upright", "stored"]
