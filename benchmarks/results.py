"""The results as JSON, for programs, and as tables in RESULTS.md, for people."""

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import Any

from benchmarks.timing import Finding
from tasks.execution.quiet_openvino import CORE

PACKAGES = ("gargalo", "prefect", "keras", "tensorflow", "openvino", "h5py", "numpy", "datasets")


def write_results(findings: Sequence[Finding], folder: Path, *, images: str) -> Path:
    """Write `results.json` and `RESULTS.md` into a folder; return the latter."""
    about: dict[str, Any] = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": f"{CORE.get_property('CPU', 'FULL_DEVICE_NAME')}, {os.cpu_count()} cores"
        f", bfloat16 by {_bfloat16_unit()}",
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "images": images,
        "versions": {name: version(name) for name in PACKAGES},
    }
    rows = [asdict(finding) | {"holds": finding.holds} for finding in findings]
    (folder / "results.json").write_text(
        json.dumps({"about": about, "findings": rows}, indent=2, ensure_ascii=False) + "\n"
    )
    versions = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    lines = [
        "# Results",
        "",
        f"{about['date']}, {about['machine']}, {about['system']}; {images}. {versions}.",
        "",
        "Each figure is the median over the rounds of one run, in which all that is compared was "
        "timed in turn; in brackets the smallest and the largest. Made by `make bench`.",
    ]
    for group, found in groupby(findings, lambda finding: finding.group):
        lines += ["", f"## {group}", "", "| what | figure | expected | |", "|---|---|---|---|"]
        lines += [_row(finding) for finding in found]
    path = folder / "RESULTS.md"
    path.write_text("\n".join(lines) + "\n")
    return path


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
