"""TensorFlow's start-up chatter, kept off the terminal.

TensorFlow 2.19 and later write C++ log lines to descriptor 2 whatever TF_CPP_MIN_LOG_LEVEL says
(tensorflow issue 100442). Only those lines are dropped, and by a process of its own: whatever a
dying process says last still comes through.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

# absl's: severity and date, time, thread, file. CUDA says E where there is no GPU, and the decoders
# where a file is damaged, which is told by name elsewhere.
_CHATTER = (
    r"^WARNING: All log messages before absl::InitializeLog|"
    r"^[IW][0-9]{4} [0-9:.]+ +[0-9]+ [a-z_]+\.cc:|"
    r"^E[0-9]{4} [0-9:.]+ +[0-9]+ (cuda_[a-z]+|jpeg_mem|png_io|gif_io)\.cc:|"
    r"^To enable the following instructions: |"
    r"^[[:space:]]+\[\[|"  # the nodes that an error of TensorFlow's went through
    # libjpeg's last words on a damaged file, which has no name for it.
    r"^(Input file read error|Not a JPEG file|Corrupt JPEG data|Premature end of JPEG)"
)


@contextmanager
def quiet_tensorflow() -> Iterator[TextIO]:
    """Drop the chatter in the block; yield the real standard error, for a progress bar."""
    with os.fdopen(os.dup(2), "w", buffering=1, errors="backslashreplace") as terminal:
        grep = shutil.which("grep")
        if grep is None or os.environ.get("TF_CPP_MIN_LOG_LEVEL", "3") in {"0", "1"}:
            yield terminal
            return
        child = subprocess.Popen(  # noqa: S603  a fixed command
            [grep, "--line-buffered", "-vE", _CHATTER],
            stdin=subprocess.PIPE,
            stdout=terminal,
            start_new_session=True,  # Ctrl-C is for this process, which may have a last word
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
                child.kill()  # somebody whom we started holds the pipe
                child.wait()
