"""The benchmarks: `make bench`, or `python -m benchmarks [--quick] [--only GROUP]`."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

from cyclopts import App

from benchmarks.groups import Benchmarks
from benchmarks.results import told, write_results
from benchmarks.scale import FULL, QUICK
from benchmarks.timing import Finding

Group = Literal[
    "cold",
    "bfloat16",
    "int8",
    "rivals",
    "large",
    "again",
    "reading",
    "prefect",
    "memory",
    "rows",
    "variants",
    "heads",
    "lab",
    "duplicates",
    "prediction",
    "novelty",
    "exploration",
    "probabilities",
    "targets",
    "finetuning",
    "review",
]


def bench(
    *, quick: bool = False, only: list[Group] | None = None, results: Path | None = None
) -> None:
    """Measure, print each figure as it comes, and write RESULTS.md and results.json.

    Args:
        quick: A few tiny images and one round: only to see that the benchmarks run.
        only: Some of the groups; without, all of them.
        results: Folder for the results [default: benchmarks/, with --quick or --only nowhere].
            With --only, other groups stay there as they were.
    """
    findings: list[Finding] = []
    with tempfile.TemporaryDirectory(prefix="gargalo-bench-") as work:
        benchmarks = Benchmarks(Path(work), QUICK if quick else FULL)
        groups: dict[Group, Callable[[], Iterator[Finding]]] = {
            "cold": benchmarks.cold,
            "bfloat16": benchmarks.bfloat16,
            "int8": benchmarks.int8,
            "rivals": benchmarks.rivals,
            "large": benchmarks.large,
            "again": benchmarks.again,
            "reading": benchmarks.reading,
            "prefect": benchmarks.prefect,
            "memory": benchmarks.memory,
            "rows": benchmarks.rows,
            "variants": benchmarks.variants,
            "heads": benchmarks.heads,
            "lab": benchmarks.lab,
            "duplicates": benchmarks.duplicates,
            "prediction": benchmarks.prediction,
            "novelty": benchmarks.novelty,
            "exploration": benchmarks.exploration,
            "probabilities": benchmarks.probabilities,
            "targets": benchmarks.targets,
            "finetuning": benchmarks.finetuning,
            "review": benchmarks.review,
        }
        for name in only or groups:
            for finding in groups[name]():
                print(told(finding), flush=True)  # noqa: T201  what it is for
                findings.append(finding)
        folder = results or (None if quick or only else Path(__file__).parent)
        if folder:
            about = benchmarks.about
            path = write_results(findings, folder, images=about, keep=bool(only))
            print(path)  # noqa: T201


if __name__ == "__main__":
    App(name="python -m benchmarks", default_command=bench)()
