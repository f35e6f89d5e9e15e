"""The command `gargalo NAME …`: the same as `python -m flows.NAME …`."""

import runpy
import sys
from difflib import get_close_matches

COMMANDS = {
    "ingest": "Read a folder of images as a data set with splits.",
    "extract": "Compute the features that the store does not have.",
    "train": "Train heads on stored features.",
    "pipeline": "Ingest, extract, train, test and report in one command.",
    "sweep": "Train many heads on stored features and choose one.",
    "finetune": "Train the last layers of the backbone too.",
    "advise": "Recommend a layer and a method for a data set.",
    "predict": "Predict the classes of images.",
    "runs": "List, show, compare and export runs.",
    "export": "Write a run as a model that needs no gargalo.",
    "maintain": "Check, tidy and merge stores.",
    "server": "Run a Prefect server that stays.",
}


def main() -> None:
    """Run the flow that the first argument names, with the rest as its arguments."""
    name = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if name in {"--help", "-h"}:
        print(_help())  # noqa: T201  what it is for
        return
    if name not in COMMANDS:
        near = get_close_matches(name, COMMANDS, n=1)
        hint = f"did you mean {near[0]}?" if near else "gargalo --help lists the commands"
        print(f"error: unknown command {name!r}: {hint}", file=sys.stderr)  # noqa: T201
        sys.exit(2)
    sys.argv[:2] = ["-m"]  # as of `python -m`: the flows see that they are a program
    runpy.run_module(f"flows.{name}", run_name="__main__", alter_sys=True)


def _help() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:{width}}  {about}" for name, about in COMMANDS.items()]
    return "\n".join(
        ["Usage: gargalo COMMAND …", "", *lines, "", "gargalo COMMAND --help: its flags"]
    )
