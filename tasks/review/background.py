"""Work of seconds or minutes that a request asks for again and again, until it is done."""

from collections.abc import Callable
from threading import Lock, Thread
from typing import Generic, TypeVar

Result = TypeVar("Result")


class Background(Generic[Result]):
    """The result of a function that is called once, in a thread, when it is first asked for.

    The thread ends with the process, whatever it does: a person who closes a review does not wait.
    """

    def __init__(self, work: Callable[[], Result]) -> None:
        self._work, self._lock = work, Lock()
        self._thread: Thread | None = None
        self._outcome: list[Result] = []
        self._error: Exception | None = None

    def result(self, seconds: float | None) -> list[Result]:
        """Return the result in a list, which is empty as long as it is worked on.

        Waits for so many seconds at most, or until it is there. Raises what the function raised.
        """
        with self._lock:
            if self._thread is None:
                self._thread = Thread(target=self._run, daemon=True)
                self._thread.start()
        self._thread.join(seconds)
        if self._error is not None:
            raise self._error
        return self._outcome

    def _run(self) -> None:
        try:
            self._outcome.append(self._work())
        except Exception as error:  # noqa: BLE001  raised again in the thread that asks
            self._error = error
