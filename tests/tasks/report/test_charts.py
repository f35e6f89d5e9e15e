"""Charts of the report: in the page's colours, the same each time, without an address."""

import base64
import os
import re
import subprocess
import sys
from xml.etree import ElementTree as ET

import pyarrow as pa
import pytest

from tasks.evaluation.metrics import Bin
from tasks.report.charts import (
    all_curves,
    as_image,
    class_colours,
    learning_curves,
    reliability_curve,
    swept,
)
from tests.support.places import ROOT

HISTORY = {
    "epoch": [1, 2, 3],
    "loss": [0.7, 0.5, 0.4],
    "accuracy": [0.5, 0.7, 0.8],
    "val_loss": [0.8, 0.6, float("nan")],
    "val_accuracy": [0.5, None, 0.75],
}


def test_there_is_a_curve_for_accuracy_and_one_for_loss():
    accuracy, loss = learning_curves(pa.table(HISTORY), salt="a")
    for name, svg in (("Accuracy", accuracy), ("Loss", loss)):
        assert svg.startswith("<svg role=")
        assert {name, "epoch", "train", "validation"} <= set(re.findall(">([^<>]+)</text>", svg))


@pytest.mark.parametrize(
    ("tuned", "last", "side"), [([None, None, 1.0], 1, "end"), ([None, 1.0, 1.0], 2, "start")]
)
def test_a_line_stands_where_fine_tuning_starts_and_its_name_where_there_is_room(tuned, last, side):
    for svg in learning_curves(pa.table(HISTORY | {"fine_tuned": tuned}), salt="a"):
        (style,) = re.findall(r'<text style="([^"]*)"[^>]*>fine-tuning</text>', svg)
        assert f"text-anchor: {side}" in style
        assert f"the last {last} of them fine-tuning" in svg


def test_a_curve_has_the_colours_of_the_page_and_no_address():
    for svg in learning_curves(pa.table(HISTORY), salt="a"):
        assert "var(--accent)" in svg
        assert "http" not in svg
        assert not re.search(r"#0[1-4]0[1-4]0[1-4]", svg)


def test_curves_do_not_share_identifiers():
    one = "".join(learning_curves(pa.table(HISTORY), salt="one"))
    other = "".join(learning_curves(pa.table(HISTORY), salt="other"))
    identifiers = re.findall(r'\bid="([^"]*)"', one + other)
    assert identifiers
    assert len(identifiers) == len(set(identifiers))


def test_the_same_history_draws_the_same_curve():
    table = pa.table(HISTORY)
    assert learning_curves(table, salt="a") == learning_curves(table, salt="a")


def test_points_are_joined_over_epochs_without_a_value():
    history = {"epoch": list(range(1, 101)), "val_loss": [None, 0.5] * 50}
    (loss,) = learning_curves(pa.table(history), salt="a")
    (line,) = re.findall(r'd="([^"]*)"[^>]*stroke: var\(--accent\); stroke-width: 1.6', loss)[:1]
    assert line.count("L") > 0
    assert line.count("M") == 1


def test_a_metric_that_is_never_there_does_no_harm():
    history = {"epoch": [1], "loss": [float("nan")], "val_loss": pa.array([None], pa.null())}
    assert len(learning_curves(pa.table(history), salt="a")) == 1


# A process of its own: another test may have imported pyplot.
DRAW = """
import sys, pyarrow as pa
from tasks.report.charts import all_curves, as_image, learning_curves, reliability_curve, swept
from tasks.inference.captioned_grid import grid
from tasks.evaluation.metrics import Bin
table = pa.table({"epoch": [1, 2], "loss": [1.0, 0.5], "fine_tuned": [0, 1]})
print(learning_curves(table, salt="a"), all_curves([table, table], chosen=0, salt="b"))
print(swept("A$_$", [1e-4, 1e-2], [0.5, 0.6], salt="c"), swept("x", ["$^$", "b"], [0, 1], salt="d"))
print(reliability_curve([Bin(0.55, 0.5, 4)], title="t", salt="e"))
from pathlib import Path
from xml.etree import ElementTree as ET
import hashlib
print(hashlib.sha256(grid([(Path("none.png"), "A$_$ 日本語 99.0%")])).hexdigest())
assert "matplotlib.pyplot" not in sys.modules
"""


def drawn(code=DRAW, **environment):
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=os.environ | environment,
    )
    assert not done.returncode, done.stderr
    assert "Warning" not in done.stderr
    return done.stdout


def test_matplotlib_is_left_as_it_was():
    before = "import os, matplotlib; before = matplotlib.rcParams.copy()\n"
    after = "assert all(matplotlib.rcParams[k] == v for k, v in before.items() if k != 'backend')\n"
    drawn(before + DRAW + after + "assert os.environ['MPLBACKEND'] == 'pdf'", MPLBACKEND="pdf")


def test_keras_is_imported_whatever_backend_is_set_for_matplotlib():
    drawn("import tasks.datasets.ingest, keras", MPLBACKEND="nonsense", TF_CPP_MIN_LOG_LEVEL="3")


def test_a_users_settings_of_matplotlib_change_no_picture_and_break_none(tmp_path):
    settings = ("text.usetex: True", "lines.linewidth: 9", "savefig.format: nonsense")
    settings += ("axes.prop_cycle: cycler('color', ['red'])", "font.family: none such")
    (tmp_path / "matplotlibrc").write_text("\n".join(settings))
    usual = drawn()
    assert drawn(MATPLOTLIBRC=str(tmp_path), MPLBACKEND="nonsense") == usual
    assert "A$_$" in usual


@pytest.mark.parametrize(
    "values",
    [
        [1e-4, 1e-3, 1e-2, 1e-3],
        [0, 1, 2, 2],
        list(range(4)),
        ["adam", "sgd", "adam", "sgd"],
        [True, False, True, False],
        [[64], [64, 32], [64], None],
    ],
)
def test_a_parameter_of_any_kind_is_drawn(values):
    chart = swept("name", values, [0.5, 0.6, 0.7, 0.8], salt="s")
    assert chart.startswith('<svg role="img"')
    assert "http" not in chart


def test_words_stand_below_their_places_and_numbers_at_the_ends():
    assert "sgd" in swept("optimizer", ["adam", "sgd"], [0.5, 0.6], salt="s")
    chart = swept("penalty", [float(n) for n in range(1, 10)], [0.5] * 9, salt="s")
    assert ">1<" in chart
    assert ">9<" in chart
    assert ">5<" not in chart


def test_a_name_of_any_kind_makes_a_picture_that_can_be_read():
    picture = swept("\x1b[31m&<b>", ["\x1b", "b"], [0.5, 0.6], salt="s")
    text = base64.b64decode(as_image(picture).split(",")[1])
    assert "\\x1b[31m&<b>" in "".join(ET.fromstring(text).itertext())


def test_all_heads_are_drawn_and_the_chosen_one_last():
    histories = [pa.table(HISTORY), pa.table({"epoch": [1, 2], "loss": [0.3, 0.2]})]
    for chosen in (0, 1):
        chart = all_curves(histories, chosen=chosen, salt="s")
        assert chart.rindex("var(--accent)") > chart.index("var(--muted)")


def test_a_reliability_curve_has_a_point_a_bin():
    bins = [Bin(0.55, 0.5, 4), Bin(0.95, 0.9, 40)]
    few, none = (reliability_curve(bins[:n], title="t", salt="s").count("<use") for n in (2, 1))
    assert few == none + 1


@pytest.mark.parametrize("count", [1, 2, 10, 11, 20, 37])
def test_each_class_has_a_colour_of_its_own(count):
    colours = class_colours(count)
    assert len(set(colours)) == len(colours) == count
