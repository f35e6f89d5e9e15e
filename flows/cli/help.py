"""`--help` of a flow, answered without importing the flow: Prefect alone takes a second.

The help is made of a function's signature and docstring. They are read from the flow's source;
what they name is imported from where the source imports it, which is `flows.parameters`.
"""

import ast
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from flows.cli.parser import make_parser
from flows.cli.terminal import write_any_name

_FLOWS = Path(__file__).parent.parent
_HELP = {"--help", "-h"}


def print_requested_help() -> None:
    """Print the help and end the process, where the command line of a flow has `--help`."""
    arguments = sys.argv[1:]
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    # Before the arguments there is `-m flows.NAME`, or NAME in `gargalo NAME`.
    module, _, name = sys.orig_argv[-len(sys.argv)].rpartition(".")
    source = _FLOWS / f"{name}.py"
    if not _HELP & set(options) or not source.is_file():
        return
    write_any_name()
    function, has_json = command_of(source.read_text(encoding="utf-8"))
    usage = f"python -m flows.{name}" if module else f"gargalo {name}"
    app = make_parser(function, usage, (lambda _given, _json: None) if has_json else None)
    try:
        app.help_print([])
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(0)


def command_of(source: str) -> tuple[Callable[..., Any], bool]:
    """Return the function that a module makes a command of, without its body, and if it is a flow.

    That is the first argument of the module's call of `command_line` or `plain_command_line`.
    """
    module = ast.parse(source)
    call = next(
        node
        for node in ast.walk(module)
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("command_line")
    )
    name = ast.unparse(call.args[0])
    function = next(
        node for node in module.body if isinstance(node, ast.FunctionDef) and node.name == name
    )
    function.decorator_list, function.body = [], function.body[:1]  # the docstring
    function.returns = None
    module.body = [*_bindings(module, function), function]
    namespace: dict[str, Any] = {}
    exec(compile(module, name, "exec"), namespace)  # noqa: S102  this package's own source
    return namespace[name], ast.unparse(call.func) == "command_line"


def _bindings(module: ast.Module, function: ast.FunctionDef) -> Iterator[ast.stmt]:
    """Yield what binds the names of a function's parameters: imports and assignments."""
    needed = _names(function.args)
    assigned = [
        node
        for node in module.body
        if isinstance(node, ast.Assign) and needed.intersection(map(ast.unparse, node.targets))
    ]
    needed = needed.union(*map(_names, assigned))
    for node in module.body:
        if isinstance(node, ast.ImportFrom):
            node.names = [alias for alias in node.names if (alias.asname or alias.name) in needed]
            if node.names:
                yield node
    yield from assigned


def _names(node: ast.AST) -> set[str]:
    return {name.id for name in ast.walk(node) if isinstance(name, ast.Name)}
