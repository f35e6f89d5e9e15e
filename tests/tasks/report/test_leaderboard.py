"""The columns of the leaderboard."""

import pytest

from tasks.report.leaderboard import _column


@pytest.mark.parametrize(
    ("values", "column"),
    [
        ([1, None, 2], [1, None, 2]),
        ([1, 0.5], [1.0, 0.5]),
        (["a", 2], ["a", "2"]),
        ([2**63, 1], [str(2**63), "1"]),
    ],
)
def test_a_setting_may_be_of_several_kinds(values, column):
    """The kind: a value that is well-formed, and that a table cannot hold."""
    assert _column(values).to_pylist() == column
