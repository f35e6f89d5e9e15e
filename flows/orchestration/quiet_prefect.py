"""What Prefect writes on the console of a command."""

import logging

from prefect.logging.handlers import PrefectConsoleHandler

from stores.printable import visible


def quieten_prefect() -> None:
    """Show only Prefect's retries on the console; its server still gets all log records."""
    logging.raiseExceptions = False  # a server that ended is reported once, as an error
    root = [h for h in logging.getLogger().handlers if isinstance(h, PrefectConsoleHandler)]
    for handler in (*root, *logging.getLogger("prefect._internal").handlers):
        handler.addFilter(_worth_showing)


def _worth_showing(record: logging.LogRecord) -> bool:
    record.msg, record.args = visible(record.getMessage()), ()
    # A failure is reported in one line, or is an uncaught error with its traceback.
    prefects = record.name.startswith("prefect") or record.name.endswith("Worker")
    return not prefects or " - Retry " in record.getMessage()
