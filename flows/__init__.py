"""What people run: one flow a file."""

import signal
import sys
import warnings

# While `python -m` looks for the module, an interrupt of the imports ends the process without a
# traceback, as it does any C program.
_is_program = sys.argv[:1] == ["-m"]
if _is_program:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # Of requests, which ignores it itself; another thread's catch_warnings may undo that meanwhile.
    warnings.filterwarnings("ignore", message="SOCKS support in urllib3 requires")

from flows.cli.help import print_requested_help  # noqa: E402
from flows.cli.terminal import open_what_is_closed  # noqa: E402

if _is_program:
    open_what_is_closed()
    print_requested_help()
