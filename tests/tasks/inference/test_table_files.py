"""A CSV file's cells act on nothing; the other formats have names exactly as they are."""

import csv
import io

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
import pytest

from stores.keys import ImageKey
from tasks.evaluation.suspect_labels import Suspect, suspects_csv
from tasks.inference.table_files import cell, write_table

FORMULAS = ["=HYPERLINK(1)", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "＝1", "＠x"]


@pytest.mark.parametrize("name", FORMULAS)
def test_no_cell_is_a_formula(name, tmp_path):
    table = pa.table({"path": [name, None], name: pa.array([-0.5, None], pa.float64())})
    write_table(table, tmp_path / "said.csv")
    first, second = pc.read_csv(tmp_path / "said.csv").to_pylist()
    assert first == {"path": cell(name), cell(name): -0.5}
    assert cell(name).startswith("'")
    assert set(second.values()) <= {None, ""}
    (row,) = csv.DictReader(
        io.StringIO(suspects_csv([Suspect(ImageKey.of(b""), name, name, 0.5, True)], {}).decode())
    )
    assert row["label"] == row["suggested"] == cell(name)


def test_no_cell_acts_on_a_terminal(tmp_path):
    write_table(pa.table({"path": ["\x1b]0;x\x07", "a\nb"]}), tmp_path / "said.csv")
    assert (tmp_path / "said.csv").read_text() == '"path"\n"\\x1b]0;x\\x07"\n"a\\nb"\n'


def test_formats_for_programs_are_exact(tmp_path):
    names = [*FORMULAS, "\x1b[31m", "日本語"]
    write_table(pa.table({"path": names}), tmp_path / "said.parquet")
    assert pq.read_table(tmp_path / "said.parquet")["path"].to_pylist() == names


def test_a_number_is_no_text(tmp_path):
    write_table(pa.table({"margin": np.array([-1.5, 2.0])}), tmp_path / "said.csv")
    assert (tmp_path / "said.csv").read_text() == '"margin"\n-1.5\n2\n'
