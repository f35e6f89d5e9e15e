"""Transfer learning on your own images: the public names, each imported when it is used.

The commands are functions with keyword arguments, which need no Prefect server. The heads are
scikit-learn's classifiers and regressors. Stores, data sets and runs can be read.

Example:
    >>> import gargalo
    >>> result = gargalo.pipeline("photos", image_size=160)
    >>> images = gargalo.Manifest.read("feature-store", "photos").select("train")
    >>> features = gargalo.FeatureStore.open("feature-store").read(images.keys)
    >>> head = gargalo.RidgeClassifier(penalty=10).fit(features, images.labels)
    >>> gargalo.RunStore("feature-store").table().num_rows
    3
    >>> try:
    ...     gargalo.train("dogs")
    ... except gargalo.StoreError as error:
    ...     print(error)
    feature-store: no data set 'dogs'; ingest its folder first; in the store: photos

Raises ImportError where another module named `flows`, `stores` or `tasks` is imported already.
"""

import sys
from importlib import import_module
from typing import Any

from gargalo.packages import find_own_packages
from gargalo.public_names import CLASSES, function_names

find_own_packages()


def __getattr__(name: str) -> Any:  # noqa: ANN401  whatever the name stands for
    if name == "__all__":
        return __dir__()
    if name in CLASSES:
        found = getattr(import_module(CLASSES[name]), name)
    elif name in function_names():
        from gargalo.functions import function_of

        found = function_of(name)
    elif name.endswith(("Classifier", "Regressor")) and name in __dir__():
        from tasks.heads.sklearn_estimator import ESTIMATORS

        found = ESTIMATORS[name]
    else:
        message = f"module 'gargalo' has no attribute {name!r}; dir(gargalo) lists the names"
        # With these Python itself shows the nearest name. To look for it here would cost those who
        # only try, as pickle does with each name of a class.
        raise AttributeError(message, name=name, obj=sys.modules[__name__])
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    from tasks.heads import class_names

    return sorted([*CLASSES, *function_names(), *class_names()])
