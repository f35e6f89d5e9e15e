"""What people run: one flow a file."""

import signal
import sys
import warnings

# While `python -m` looks for the module there is no program yet that could say a last word: an
# interrupt of the imports ends the process without a traceback, as it does any C program.
if sys.argv[:1] == ["-m"]:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # Prefect's, when it is imported; flows.server says it in one line.
    warnings.filterwarnings("ignore", message="Failed to create the Prefect home")
