"""NNCF, imported without its telemetry, its bars and its log. No other module imports it.

It would report each quantisation to Google Analytics, write bars and a log to the standard output,
which belongs to `--json`, and make all loggers of this process its own kind. Raises ImportError
where the extra `int8` is not installed.
"""

import logging
from typing import Any

from tasks.execution.quiet_openvino import without_telemetry

_kind = logging.getLoggerClass()
with without_telemetry():
    import nncf
    from nncf.common.logging import track_progress
logging.setLoggerClass(_kind)
nncf.disable_logging()


class _NoBar(track_progress.Progress):  # type: ignore[misc]  # NNCF has no types
    """A bar that is not shown; NNCF asks nobody whether it should be."""

    def __init__(self, *columns: Any, **options: Any) -> None:  # noqa: ANN401
        super().__init__(*columns, **options | {"disable": True})


track_progress.Progress = _NoBar

__all__ = ["nncf"]
