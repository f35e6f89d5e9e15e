"""A filter that keeps TensorFlow's start-up log lines off the terminal.

TensorFlow 2.19 and later write C++ log lines to file descriptor 2, whatever TF_CPP_MIN_LOG_LEVEL is
(tensorflow issue 100442). Only those lines are dropped. The filter is a process of its own, so
that the last lines of a crashing process are still shown.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

# absl's format: severity and date, time, thread, file. CUDA logs at E if there is no GPU, and the
# decoders if a file is damaged, which the flows report with the file's name.
_CHATTER = (
    r"^WARNING: All log messages before absl::InitializeLog|"
    r"^[IW][0-9]{4} [0-9:.]+ +[0-9]+ [a-z_]+\.cc:|"
    r"^E[0-9]{4} [0-9:.]+ +[0-9]+ (cuda_[a-z]+|jpeg_mem|png_io|gif_io)\.cc:|"
    r"^To enable the following instructions: |"
    r"^[[:space:]]+\[\[|"  # the graph nodes of an error of TensorFlow
    # libjpeg's messages on a damaged file, without the file's name.
    r"^(Input file read error|Not a JPEG file|Corrupt JPEG data|Premature end of JPEG)"
)


@contextmanager
def quiet_tensorflow() -> Iterator[TextIO]:
    """Drop TensorFlow's log lines in the block; yield the real standard error."""
    with os.fdopen(os.dup(2), "w", buffering=1, errors="backslashreplace") as terminal:
        grep = shutil.which("grep")
        if grep is None or os.environ.get("TF_CPP_MIN_LOG_LEVEL", "3") in {"0", "1"}:
            yield terminal
            return
        child = subprocess.Popen(  # noqa: S603  a fixed command
            [grep, "--line-buffered", "-vE", _CHATTER],
            stdin=subprocess.PIPE,
            stdout=terminal,
            start_new_session=True,  # Ctrl-C must not end it: this process may still write
        )
        assert child.stdin
        os.dup2(child.stdin.fileno(), 2)
        child.stdin.close()
        try:
            yield terminal
        finally:
            os.dup2(terminal.fileno(), 2)
            try:
                child.wait(timeout=2)
            except subprocess.TimeoutExpired:
                child.kill()  # another child process still holds the pipe
                child.wait()
