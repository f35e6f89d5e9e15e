"""Peak memory of an extraction by the number of its images: each in a process of its own."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.timing import Finding

_CODE = """
import json, resource, sys
from pathlib import Path
from dataclasses import replace
from benchmarks.ours import REQUEST, Setting, extract
folder, store, side = sys.argv[1:]
setting = Setting(Path(folder), Path(store), replace(REQUEST, image_size=int(side)))
computed = extract(setting, setting.ingest())
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"computed": computed, "peak": peak}))
"""


def growth(few: Path, many: Path, stores: Path, *, side: int, rounds: int) -> Iterator[Finding]:
    """Compare the peak memory of ingest and extraction for few and for many images."""
    values, peaks = [], []
    for number in range(rounds):
        told = [_peak(folder, stores / f"{folder.name}-{number}", side) for folder in (few, many)]
        values.append(told[1]["peak"] / told[0]["peak"])
        peaks.append(told)
    (first, second) = peaks[0]
    yield Finding(
        "Memory",
        f"peak for {second['computed']:,} images, in units of that for {first['computed']:,}",
        tuple(values),
        "×",
        "≤ 1.05",
        f"{first['peak'] / 2**20:.2f} and {second['peak'] / 2**20:.2f} GiB in the first round",
    )


def _peak(folder: Path, store: Path, side: int) -> dict[str, int]:
    done = subprocess.run(
        [sys.executable, "-c", _CODE, str(folder), str(store), str(side)],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[1],
    )
    told: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    return told
