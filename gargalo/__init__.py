"""Transfer learning on your own images: the public names, each imported when it is used.

The commands are functions with keyword arguments, which need no Prefect server. The heads are
scikit-learn classifiers. Stores, data sets and runs can be read.

Example:
    >>> import gargalo
    >>> result = gargalo.pipeline("photos", image_size=160)
    >>> images = gargalo.Manifest.read("feature-store", "photos").select("train")
    >>> features = gargalo.FeatureStore.open("feature-store").read(images.keys)
    >>> head = gargalo.RidgeClassifier(penalty=10).fit(features, images.labels)

Raises ImportError where another module named `flows`, `stores` or `tasks` is imported already.
"""

from importlib import import_module
from typing import Any

from gargalo.packages import find_own_packages
from gargalo.public_names import CLASSES, FUNCTIONS

find_own_packages()


def __getattr__(name: str) -> Any:  # noqa: ANN401  whatever the name stands for
    if name == "__all__":
        return __dir__()
    if name in CLASSES:
        found = getattr(import_module(CLASSES[name]), name)
    elif name in FUNCTIONS:
        from gargalo.functions import function_of

        found = function_of(name)
    elif name.endswith("Classifier") and name in __dir__():
        from tasks.heads.sklearn_estimator import CLASSIFIERS

        found = CLASSIFIERS[name]
    else:
        raise AttributeError(f"module 'gargalo' has no attribute {name!r}{_hint(name)}")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    from tasks.heads import KINDS, class_name

    return sorted([*CLASSES, *FUNCTIONS, *map(class_name, KINDS)])


def _hint(name: str) -> str:
    if name.startswith("_"):
        return ""
    from difflib import get_close_matches

    near = get_close_matches(name, __dir__(), n=3)
    return f"; did you mean {' or '.join(near)}?" if near else f"; it has {', '.join(__dir__())}"
