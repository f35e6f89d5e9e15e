"""Where shards are computed: in threads of this process, or on the workers of a Dask cluster."""

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from tasks.errors import InputError

if TYPE_CHECKING:  # `--help` shows the choices of a runner, and imports no Prefect
    from prefect.futures import PrefectFuture
    from prefect.tasks import Task

RunnerChoice = Literal["threads", "dask"]
# A cluster of its own is for trying it out: a machine's cores are kept busy by one process already.
LOCAL_WORKERS = 2
CONNECT_SECONDS = 10
log = logging.getLogger("gargalo.extract")


@dataclass(frozen=True)
class Workers:
    """What takes tasks: `submit(task, work, **options)`, and how many of them at once."""

    submit: "Callable[..., PrefectFuture[Any]]"
    # More of them would wait in somebody's memory, with the names of all their images.
    at_once: int


@dataclass(frozen=True)
class Runner:
    """Who computes shards."""

    kind: RunnerChoice = "threads"
    address: str | None = None  # of a Dask scheduler; None: a cluster of this machine's own

    @property
    def elsewhere(self) -> bool:
        """Whether it is other processes, which do not see this one's progress or folder."""
        return self.kind == "dask"

    @contextmanager
    def working(self) -> Iterator[Workers]:
        """Yield the workers, which are there in the block.

        Raises InputError where Dask is not installed or its scheduler does not answer.
        """
        if not self.elsewhere:
            yield Workers(lambda task, work, **more: task.submit(work, **more), at_once=4)
            return
        from prefect.client.orchestration import get_client

        with self._dask() as runner, get_client(sync_client=True) as client:

            def submit(task: "Task[..., Any]", work: Any, **more: Any) -> "PrefectFuture[Any]":  # noqa: ANN401
                with _with_server(str(client.api_url)):
                    future: PrefectFuture[Any] = runner.submit(
                        task, parameters={"work": work, **more}
                    )
                    return future

            threads = sum(runner.client.nthreads().values())
            if not threads:  # no mistake: a cluster may start some once there is work
                log.warning(
                    "the Dask cluster has no workers yet: shards wait until there is one, as "
                    "started by `dask worker %s`",
                    self.address,
                )
            with _losses_told():
                yield Workers(submit, at_once=4 * max(1, threads))

    @contextmanager
    def _dask(self) -> Iterator[Any]:
        try:
            from prefect_dask.task_runners import DaskTaskRunner
        except ImportError:
            raise InputError(
                "--runner dask: Dask is not installed; pip install 'gargalo[dask]'"
            ) from None
        local = {
            "n_workers": LOCAL_WORKERS,
            "threads_per_worker": 1,
            "dashboard_address": None,
            "security": True,  # TLS: other users of this machine stay out
            "env": {"PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL"},  # the server is told
        }
        own: dict[str, Any] = (
            {"address": self.address} if self.address else {"cluster_kwargs": local}
        )
        own["client_kwargs"] = {"timeout": CONNECT_SECONDS}
        # A worker that goes away is a matter of Dask's, which gives its shard to another.
        logging.getLogger("distributed").setLevel(logging.CRITICAL)
        with ExitStack() as stack:
            try:
                runner = stack.enter_context(DaskTaskRunner(**own))
                runner.client  # noqa: B018  it connects now, and not at the first shard
            # TypeError: tls:// without certificates; RuntimeError: no cluster starts here.
            except (OSError, ValueError, TypeError, RuntimeError) as error:
                where = f"--dask-address {self.address}" if self.address else "--runner dask"
                raise InputError(
                    f"{where}: no Dask scheduler answers ({error}); start one with "
                    "`dask scheduler`, and workers with `dask worker ADDRESS`"
                ) from error
            yield runner


def _with_server(address: str) -> AbstractContextManager[object]:
    """Have the settings that workers get lead to this server, as with a temporary one they do not.

    To make settings takes a quarter of a second.
    """
    from prefect.settings import PREFECT_API_URL, temporary_settings

    missing = not PREFECT_API_URL.value()
    return temporary_settings({PREFECT_API_URL: address}) if missing else nullcontext()


@contextmanager
def _losses_told() -> Iterator[None]:
    """Raise ConnectionError where a scheduler goes away, or a shard takes worker after worker."""
    from distributed import KilledWorker
    from distributed.client import FutureCancelledError

    try:
        yield
    except FutureCancelledError as error:
        raise ConnectionError(f"the Dask scheduler went away ({error.reason})") from error
    except KilledWorker as error:
        raise ConnectionError(
            f"a shard took Dask's workers with it, one after another: {error}"
        ) from error
