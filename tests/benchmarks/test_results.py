"""Results on disk: a run replaces the groups that it measured, and no others."""

from benchmarks.results import JSON, TABLES, write_results
from benchmarks.timing import Finding


def test_a_run_of_one_group_keeps_the_others(tmp_path):
    slow, quick, other = (
        Finding(group, "speed", (value,), "×", "≥ 2")
        for group, value in (("one", 1.0), ("one", 3.0), ("two", 2.5))
    )
    write_results([slow, other], tmp_path, images="few")
    write_results([quick], tmp_path, images="many", keep=True)
    tables = (tmp_path / TABLES).read_text()
    assert "| speed | 3 × | ≥ 2 | holds |" in tables
    assert "| speed | 2.5 × | ≥ 2 | holds |" in tables
    assert "falls short" not in tables
    assert "* Run 1: " in tables
    assert "; many. gargalo " in tables


def test_a_whole_run_keeps_nothing(tmp_path):
    for group in "one", "two":
        write_results([Finding(group, "speed", (1.0,), "×")], tmp_path, images="few")
    assert "## one" not in (tmp_path / TABLES).read_text()
    assert '"group": "one"' not in (tmp_path / JSON).read_text()
