"""The results as JSON, for programs, and as tables in RESULTS.md, for people.

A run of some groups alone replaces these, and keeps the others as an earlier run measured them.
"""

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import groupby
from pathlib import Path

from pydantic import TypeAdapter

from benchmarks.timing import Finding
from tasks.execution.quiet_openvino import CORE

PACKAGES = ("gargalo", "prefect", "keras", "tensorflow", "openvino", "h5py", "numpy", "datasets")
JSON, TABLES = "results.json", "RESULTS.md"


@dataclass(frozen=True)
class Run:
    """What one run measured, and with what."""

    date: str
    machine: str
    system: str
    images: str
    versions: dict[str, str]
    findings: list[Finding]


def write_results(
    findings: Sequence[Finding], folder: Path, *, images: str, keep: bool = False
) -> Path:
    """Write `results.json` and `RESULTS.md` into a folder; return the latter.

    With `keep`, groups that were not measured now stay as an earlier run left them there.
    """
    new = Run(
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        machine=f"{CORE.get_property('CPU', 'FULL_DEVICE_NAME')}, {os.cpu_count()} cores"
        f", bfloat16 by {_bfloat16_unit()}",
        system=f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        images=images,
        versions={name: version(name) for name in PACKAGES},
        findings=list(findings),
    )
    measured = {finding.group for finding in findings}
    runs = [*(_others(folder / JSON, measured) if keep else []), new]
    as_json = TypeAdapter(list[Run]).dump_json(runs, indent=2)
    (folder / JSON).write_bytes(as_json + b"\n")
    path = folder / TABLES
    path.write_text("\n".join(_tables(runs)) + "\n")
    return path


def _others(path: Path, measured: set[str]) -> list[Run]:
    """Return the earlier runs, without the groups that were measured now."""
    if not path.exists():
        return []
    runs = TypeAdapter(list[Run]).validate_json(path.read_bytes())
    kept = (
        replace(run, findings=[found for found in run.findings if found.group not in measured])
        for run in runs
    )
    return [run for run in kept if run.findings]


def _tables(runs: Sequence[Run]) -> list[str]:
    """Return the lines of RESULTS.md: what each run was, then its groups as tables."""
    lines = [
        "# Results",
        "",
        "Each figure is the median over the rounds of one run, in which all that is compared was "
        "timed in turn; in brackets the smallest and the largest. Made by `make bench`, or by "
        "`python -m benchmarks --only GROUP`, which replaces a group and keeps the others.",
        "",
    ]
    for number, run in enumerate(runs, 1):
        versions = ", ".join(f"{name} {which}" for name, which in run.versions.items())
        about = f"{run.date}, {run.machine}, {run.system}; {run.images}. {versions}."
        lines.append(f"* Run {number}: {about}")
    for number, run in enumerate(runs, 1):
        for group, found in groupby(run.findings, lambda finding: finding.group):
            of_run = f"Run {number}, {run.date}."
            lines += ["", f"## {group}", "", of_run, ""]
            lines += ["| what | figure | expected | |", "|---|---|---|---|"]
            lines += [_row(finding) for finding in found]
    return lines


def _bfloat16_unit() -> str:
    """Name what computes in bfloat16: AMX is some eight times as fast at it, AVX-512 twice."""
    flags = Path("/proc/cpuinfo").read_text().split() if Path("/proc/cpuinfo").exists() else []
    units = {"amx_bf16": "AMX", "avx512_bf16": "AVX-512"}
    return next((name for flag, name in units.items() if flag in flags), "nothing")


def told(finding: Finding) -> str:
    """Return a finding as a line of text."""
    return f"{finding.group}: {finding.what}: {_figure(finding)} {_verdict(finding)}".rstrip()


def _row(finding: Finding) -> str:
    remark = f"{_verdict(finding)}; {finding.remark}".strip("; ")
    return f"| {finding.what} | {_figure(finding)} | {finding.expected} | {remark} |"


def _figure(finding: Finding) -> str:
    middle, low, high = (
        f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
        for value in (finding.middle, min(finding.values), max(finding.values))
    )
    return f"{middle} {finding.unit}" + (f" ({low} to {high})" if low != high else "")


def _verdict(finding: Finding) -> str:
    return {None: "", True: "holds", False: "**falls short**"}[finding.holds]
