"""Where `flows`, `stores` and `tasks` are found: beside this package, and nowhere else.

The names are common words. Somebody's own `tasks.py` in the current folder comes first on the path,
so without this `import gargalo` would end up in it.
"""

import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder

NAMES = ("flows", "stores", "tasks")
HOME = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120  quick


class Beside:
    """Finds the packages of these names in HOME; it stands before all other finders."""

    @staticmethod
    def find_spec(
        name: str,
        path: Sequence[str] | None = None,  # noqa: ARG004  as import has it
        target: object = None,  # noqa: ARG004
    ) -> ModuleSpec | None:
        """Return where a package is, None for any other module."""
        return PathFinder.find_spec(name, [HOME]) if name in NAMES else None


def find_own_packages() -> None:
    """Have the names lead to HOME; raises ImportError where one is imported from elsewhere."""
    for name in NAMES:
        if (found := _place(name)) and os.path.dirname(found) != HOME:  # noqa: PTH120
            raise ImportError(
                f"gargalo has a package {name!r}, but another module of that name is imported "
                f"already: {found}; import gargalo before it, or rename it"
            )
    if Beside not in sys.meta_path:
        sys.meta_path.insert(0, Beside)


def _place(name: str) -> str:
    """Return the folder or file of a module that is imported, '' where none is."""
    module = sys.modules.get(name)
    places = [*getattr(module, "__path__", []), getattr(module, "__file__", None)]
    return next((os.path.abspath(place) for place in places if place), "")  # noqa: PTH100
