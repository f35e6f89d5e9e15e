"""Peak memory of an extraction by the number of its images: each in a process of its own."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.timing import Finding

_CODE = """
import json, sys
from pathlib import Path
from dataclasses import replace
from benchmarks.memory import peak_bytes
from benchmarks.ours import REQUEST, Setting, extract
from tasks.execution.freed_memory import use_few_arenas
use_few_arenas()  # as each command does
folder, store, request = sys.argv[1:]
setting = Setting(Path(folder), Path(store), replace(REQUEST, **json.loads(request)))
computed = extract(setting, setting.ingest())
print(json.dumps({"computed": computed, "peak": peak_bytes()}))
"""

_COMMAND = """
import runpy, sys
from benchmarks.memory import peak_bytes
try:
    runpy.run_module("flows.extract", run_name="__main__")
except SystemExit as end:
    if end.code:
        raise
print(peak_bytes())
"""


def growth(few: Path, many: Path, stores: Path, *, side: int, rounds: int) -> Iterator[Finding]:
    """Compare the peak memory of ingest and extraction for few and for many images."""
    values, all_told = [], []
    for number in range(rounds):
        told = [
            peaks(folder, stores / f"{folder.name}-{number}", {"image_size": side})
            for folder in (few, many)
        ]
        values.append(told[1]["peak"] / told[0]["peak"])
        all_told.append(told)
    (first, second) = all_told[0]
    yield Finding(
        "Memory",
        f"peak for {second['computed']:,} images, in units of that for {first['computed']:,}",
        tuple(values),
        "×",
        "≤ 1.05",
        f"{first['peak'] / 2**30:.2f} and {second['peak'] / 2**30:.2f} GiB in the first round",
    )


def peaks(folder: Path, store: Path, request: Mapping[str, Any]) -> dict[str, int]:
    """Ingest and extract in a process of its own; return the images computed, and its peak, bytes.

    `request` are the fields of the features asked for that are not as usual.
    """
    told: dict[str, int] = json.loads(_last_line(_CODE, folder, store, json.dumps(request)))
    return told


def peak_of_command(folder: Path, *flags: object) -> int:
    """Extract by the command, in a process of its own; return its peak, bytes."""
    return int(_last_line(_COMMAND, folder, *flags))


def _last_line(code: str, *arguments: object) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[1],
    )
    return done.stdout.splitlines()[-1]


def peak_bytes() -> int:
    """Return the most memory that this process has had; of Linux.

    `ru_maxrss` would be at least that of the process that started it.
    """
    (line,) = (
        line for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line
    )
    return int(line.split()[1]) * 1024
