"""The command `gargalo NAME …`: the same as `python -m flows.NAME …`."""

import os
import runpy
import sys
from difflib import get_close_matches

from gargalo.public_names import commands


def main() -> None:
    """Run the flow that the first argument names, with the rest as its arguments."""
    name = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if name in {"--help", "-h"}:
        try:
            print(_help(), flush=True)  # noqa: T201  what it is for
        except BrokenPipeError:  # the reader of our output, such as `head`, has ended
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return
    if name not in commands():
        near = get_close_matches(name, commands(), n=1)
        hint = f"did you mean {near[0]}?" if near else "gargalo --help lists the commands"
        print(f"error: unknown command {name!r}: {hint}", file=sys.stderr)  # noqa: T201
        sys.exit(2)
    sys.argv[:2] = ["-m"]  # as of `python -m`: the flows see that they are a program
    runpy.run_module(f"flows.{name}", run_name="__main__", alter_sys=True)


def _help() -> str:
    width = max(map(len, commands()))
    lines = [f"  {name:{width}}  {command.about}" for name, command in commands().items()]
    return "\n".join(
        ["Usage: gargalo COMMAND …", "", *lines, "", "gargalo COMMAND --help: its flags"]
    )
