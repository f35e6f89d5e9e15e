"""Writes `gargalo/__init__.pyi`, the types of the public names: `python -m gargalo.stub`.

Functions are made of flows' parameters, and estimators of heads' settings, when they are used.
Type checkers and editors run nothing, and read this file.
"""

import re
from collections.abc import Callable, Iterator
from inspect import Parameter, formatannotation, getdoc, signature
from pathlib import Path
from typing import Any, get_args

import gargalo
from gargalo.public_names import CLASSES, function_names
from tasks.heads.sklearn_estimator import ESTIMATORS

STUB = Path(__file__).with_name("__init__.pyi")
_HEAD = '''"""Transfer learning on your own images: the types of the public names.

Written by `python -m gargalo.stub`.
"""

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any, Literal, Optional, Union
'''
_IMPORTED = re.compile(r"\b(?:typing|collections\.abc|os)\.(?=[A-Z])")


def stub() -> str:
    """Return the text of the stub."""
    functions = [getattr(gargalo, name) for name in function_names()]
    results = {one for function in functions for one in _results(function)}
    imports = [f"from {home} import {name} as {name}" for name, home in sorted(CLASSES.items())]
    imports += sorted(f"from {one.__module__} import {one.__name__}" for one in results)
    bodies = [*map(_function, functions), *map(_class, ESTIMATORS.values())]
    return "\n".join([_HEAD, *imports, "", *bodies])


def _results(function: Callable[..., Any]) -> tuple[type[Any], ...]:
    """Return the classes that a function may return."""
    returned = signature(function).return_annotation
    return get_args(returned) or (returned,)


def _function(function: Callable[..., Any]) -> str:
    lines = _parameters(signature(function).parameters.values(), indent="    ")
    result = " | ".join(one.__name__ for one in _results(function))
    return "\n".join(
        [f"def {function.__name__}(", *lines, f") -> {result}:", _documented(function), ""]
    )


def _class(made: type[Any]) -> str:
    lines = _parameters(signature(made).parameters.values(), indent="        ")
    return "\n".join(
        [
            f"class {made.__name__}({made.__mro__[1].__name__}):",
            _documented(made),
            "    def __init__(",
            "        self,",
            *lines,
            "    ) -> None: ...",
            "",
        ]
    )


def _parameters(parameters: Any, *, indent: str) -> Iterator[str]:  # noqa: ANN401  as inspect has it
    star = False
    for parameter in parameters:
        if parameter.kind is Parameter.KEYWORD_ONLY and not star:
            yield f"{indent}*,"
            star = True
        default = "" if parameter.default is Parameter.empty else f" = {parameter.default!r}"
        yield f"{indent}{parameter.name}: {_written(parameter.annotation)}{default},"


def _documented(documented: Any) -> str:  # noqa: ANN401
    """Return the first line of the documentation; `help` shows the rest."""
    line = (getdoc(documented) or "").partition("\n")[0]
    return f'    """{line}"""'


def _written(annotation: Any) -> str:  # noqa: ANN401
    return _IMPORTED.sub("", formatannotation(annotation).replace("NoneType", "None"))


if __name__ == "__main__":
    STUB.write_text(stub(), encoding="utf-8")
