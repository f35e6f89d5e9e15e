"""The command line of every flow: its flags, errors and exit codes."""

import inspect
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from cyclopts import App, CycloptsError
from pydantic import ValidationError

from flows.cli.parser import make_parser
from flows.cli.progress import shown_progress
from flows.cli.stderr_filter import quiet_tensorflow
from flows.cli.terminal import encoding_checked, write_any_name
from flows.cli.work import Load, nothing
from flows.orchestration.first_import import import_prefect
from flows.orchestration.resume import RESUME
from flows.orchestration.served_flow import ServedFlow
from flows.orchestration.user_server import has_server
from flows.summaries.as_json import as_json as json_of
from stores.errors import StoreError, StoreFull
from stores.printable import visible
from tasks.errors import ExtractionError, InputError, what_is_wrong
from tasks.execution.freed_memory import use_few_arenas
from tasks.execution.steps import without_prefect

if TYPE_CHECKING:
    from flows.orchestration.server_errors import Failure

Summary = TypeVar("Summary")  # what a flow returns: a dataclass of flows.summaries

_NO_PERMISSION = "get write permission, or give another path"


def command_line(
    flow: ServedFlow[..., Summary],
    text: Callable[[Summary], str],
    *,
    work: Callable[..., Load | None] = lambda *_, **__: nothing,
    check: Callable[..., None] = lambda *_, **__: None,
    failed: Callable[[Summary], bool] = lambda _: False,
    needs_server: bool = True,
) -> None:
    """Run a flow from the command line and end the process.

    Prints the flow's summary, formatted by `text`, or with `--json` as JSON on the last line.

    An error is one line on standard error. Exit codes: 2 for a user's mistake; 1 for a disk,
    network or server that failed after all retries, and for a summary that is `failed`; 130 for an
    interrupt.

    `work` gets the flow's arguments, and returns what loads the slow parts of the flow while a
    temporary server starts; or None where there is nothing to do. `check` gets them before, and
    raises InputError. Without `needs_server`, or with nothing to do and no server of the user's,
    the flow is run as a plain function, with its steps as plain calls, which is faster.
    """
    use_few_arenas()
    write_any_name()
    app = make_app(flow, text, work, check, needs_server=needs_server)
    with errors_reported(or_temporary=True), encoding_checked(all_utf8=needs_server):
        signal.signal(signal.SIGINT, signal.default_int_handler)
        with _interrupts_raised():
            summary = app(sys.argv[1:], print_error=False, exit_on_error=False, help_on_error=False)
        sys.stdout.flush()
        sys.exit(1 if summary and failed(summary) else 0)


def plain_command_line(run: Callable[[], None], module: str) -> None:
    """Run a function that is not a flow and has no parameters; errors are reported as a flow's."""
    write_any_name()
    app = make_parser(run, f"python -m {module}")
    with errors_reported(), encoding_checked():
        app(sys.argv[1:], print_error=False, exit_on_error=False, help_on_error=False)


@contextmanager
def errors_reported(*, or_temporary: bool = False) -> Iterator[None]:
    """End the process with one line and an exit code, for errors that a user can act on.

    `or_temporary`: if the server does not answer, suggest to use a temporary one.
    """
    try:
        yield
    except CycloptsError as error:
        sys.exit(_report(_one_line(error), code=2))
    except BrokenPipeError:  # the reader of our output, such as `head`, has ended
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except StoreFull as error:
        sys.exit(_report(f"error: {error}", code=1))
    except (StoreError, InputError, ExtractionError) as error:
        sys.exit(_report(f"error: {error}", code=2))
    except PermissionError as error:
        sys.exit(_report(f"error: {error}; {_NO_PERMISSION}", code=2))
    except OSError as error:
        sys.exit(_report(f"error: {error}; {RESUME}", code=1))
    except Exception as error:
        failure = _of_server(error, or_temporary=or_temporary)
        if not failure:
            raise
        sys.exit(_report(failure.line, code=failure.code))
    except KeyboardInterrupt:
        sys.exit(_report(f"interrupted; {RESUME}", code=130))


def _of_server(error: Exception, *, or_temporary: bool) -> "Failure | None":
    if "prefect" not in sys.modules:
        return None
    from flows.orchestration.server_errors import failure_of

    return failure_of(error, or_temporary=or_temporary)


def make_app(
    flow: ServedFlow[..., Summary],
    text: Callable[[Summary], str],
    work: Callable[..., Load | None] = lambda *_, **__: nothing,
    check: Callable[..., None] = lambda *_, **__: None,
    *,
    needs_server: bool = True,
) -> App:
    """Return the parser of a flow's command line, which runs the flow and prints its summary."""

    def run(given: inspect.BoundArguments, as_json: bool) -> Summary:  # noqa: FBT001  its caller's
        check(*given.args, **given.kwargs)
        with quiet_tensorflow() as terminal, shown_progress(terminal):
            load = _loaded_for(work, given) if needs_server else None
            if load:
                summary = _orchestrated(flow, load, given)
            else:
                with without_prefect():
                    summary = flow.fn(*given.args, **given.kwargs)
        print(json.dumps(json_of(summary)) if as_json else text(summary))  # noqa: T201  what it is for
        return summary

    return make_parser(flow.fn, f"python -m flows.{flow.name}", run)


def _loaded_for(work: Callable[..., Load | None], given: inspect.BoundArguments) -> Load | None:
    """Return what is to be loaded for a flow; None where it needs no server.

    A server of the user's records every run.
    """
    if has_server():
        return nothing
    try:
        return work(*given.args, **given.kwargs)
    except Exception:  # noqa: BLE001  the flow meets the same error, and reports it
        return nothing


def _orchestrated(
    flow: ServedFlow[..., Summary], load: Load, given: inspect.BoundArguments
) -> Summary:
    """Run a flow with a Prefect server."""

    def meanwhile() -> None:
        with suppress(Exception):  # the flow meets the same error, and reports it
            load()

    import_prefect()
    from flows.orchestration.prefect_server import prefect_server
    from flows.orchestration.quiet_prefect import quieten_prefect

    quieten_prefect()
    with prefect_server(meanwhile):
        summary: Summary = flow(*given.args, **given.kwargs)
        return summary


@contextmanager
def _interrupts_raised() -> Iterator[None]:
    """Raise KeyboardInterrupt instead of an error that followed from it.

    Prefect reports an interrupt to its server, and that request may fail on a connection that the
    interrupt has broken.
    """
    try:
        yield
    except Exception as error:
        before = error.__context__
        while before is not None:
            if isinstance(before, KeyboardInterrupt):
                raise before from None
            before = before.__context__
        raise


def _one_line(error: CycloptsError) -> str:
    cause = error.__cause__
    if isinstance(cause, ValidationError):
        return f"error: {'; '.join(_mistake(dict(m)) for m in cause.errors())}"
    if isinstance(cause, InputError):
        return f"error: {cause}"
    return f"error: {' '.join(str(error).split())} (--help shows all flags)"


def _mistake(mistake: dict[str, Any]) -> str:
    if not mistake["loc"]:  # an error of several parameters: the message names them
        return str(mistake["msg"].removeprefix("Value error, "))
    flag = str(mistake["loc"][0]).replace("_", "-")
    dashes = "-" if len(flag) == 1 else "--"
    return f"{dashes}{flag}: {what_is_wrong(mistake)}"


def _report(line: str, *, code: int) -> int:
    print(visible(" ".join(line.split())), file=sys.stderr)  # noqa: T201
    return code
