"""Runners compute shards: threads of this process, or the workers of a Dask cluster."""

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from tasks.errors import InputError
from tasks.execution.steps import Step

if TYPE_CHECKING:  # `--help` shows the choices of a runner, and imports no Prefect
    from prefect.futures import PrefectFuture

RunnerChoice = Literal["threads", "dask"]
# A local cluster is for trying it out: one process already uses all cores.
LOCAL_WORKERS = 2
CONNECT_SECONDS = 10
log = logging.getLogger("gargalo.extract")


@dataclass(frozen=True)
class Workers:
    """Accepts tasks: `submit(task, work, **options)`, at most `at_once` at a time."""

    submit: "Callable[..., PrefectFuture[Any]]"
    # More of them would wait in memory, with the paths of all their images.
    at_once: int


@dataclass(frozen=True)
class Runner:
    """Where shards are computed."""

    kind: RunnerChoice = "threads"
    address: str | None = None  # of a Dask scheduler; None: a new local cluster

    @property
    def elsewhere(self) -> bool:
        """Whether other processes compute, which do not share this one's progress or folder."""
        return self.kind == "dask"

    @contextmanager
    def working(self) -> Iterator[Workers]:
        """Yield the workers, which are available in the block.

        Raises InputError if Dask is not installed or its scheduler does not answer.
        """
        if not self.elsewhere:
            yield Workers(lambda task, work, **more: task.submit(work, **more), at_once=4)
            return
        from prefect.client.orchestration import get_client

        with self._dask() as runner, get_client(sync_client=True) as client:

            def submit(task: Step[..., Any], work: Any, **more: Any) -> "PrefectFuture[Any]":  # noqa: ANN401
                with _with_server(str(client.api_url)):
                    future: PrefectFuture[Any] = runner.submit(
                        task.prefect, parameters={"work": work, **more}
                    )
                    return future

            threads = sum(runner.client.nthreads().values())
            if not threads:  # not an error: a cluster may start workers when there is work
                log.warning(
                    "the Dask cluster has no workers yet: shards wait for one; start it with "
                    "`dask worker %s`",
                    self.address,
                )
            with _losses_explained():
                yield Workers(submit, at_once=4 * max(1, threads))

    @contextmanager
    def _dask(self) -> Iterator[Any]:
        try:
            from prefect_dask.task_runners import DaskTaskRunner
        except ImportError:
            raise InputError(
                "--runner dask: Dask is not installed; run pip install 'gargalo[dask]'"
            ) from None
        local = {
            "n_workers": LOCAL_WORKERS,
            "threads_per_worker": 1,
            "dashboard_address": None,
            "security": True,  # TLS: other users of this machine have no access
            "env": {"PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL"},  # the server logs them
        }
        own: dict[str, Any] = (
            {"address": self.address} if self.address else {"cluster_kwargs": local}
        )
        own["client_kwargs"] = {"timeout": CONNECT_SECONDS}
        # If a worker disappears, Dask gives its shard to another one.
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
    """Set the address of the server for workers, who do not know that of a temporary one.

    Creating settings takes a quarter of a second, so they are created only if necessary.
    """
    from prefect.settings import PREFECT_API_URL, temporary_settings

    missing = not PREFECT_API_URL.value()
    return temporary_settings({PREFECT_API_URL: address}) if missing else nullcontext()


@contextmanager
def _losses_explained() -> Iterator[None]:
    """Raise ConnectionError if the scheduler disappears, or a shard ends worker after worker."""
    from distributed import KilledWorker
    from distributed.client import FutureCancelledError

    try:
        yield
    except FutureCancelledError as error:
        raise ConnectionError(f"the Dask scheduler disappeared ({error.reason})") from error
    except KilledWorker as error:
        raise ConnectionError(
            f"several Dask workers ended while they computed the same shard: {error}"
        ) from error
