"""How a program was started, for the usage line of `--help`."""

from contextvars import ContextVar

# What stands before a flow's name: the command `gargalo` sets its own.
program: ContextVar[str] = ContextVar("program", default="python -m flows.")


def usage_of(module: str) -> str:
    """Return what a user types to start a module, as `gargalo extract` for flows.extract."""
    folder, _, name = module.partition(".")
    return f"{program.get()}{name}" if folder == "flows" else f"python -m {module}"
