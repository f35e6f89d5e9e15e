import math

import pytest

from stores.runs.figures import check_figures


@pytest.mark.parametrize("split", ["train", "validation", "test"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("accuracy", 1.01),
        ("balanced_accuracy", -0.01),
        ("macro_f1", 2.0),
        ("roc_area", 99.0),
        ("pr_area", -1.0),
        ("calibration_error", 1.5),
        ("log_loss", -0.1),
        ("rms_calibration_error_high", -0.1),
        ("accuracy", math.nan),
        ("log_loss", math.inf),
        ("unknown", -math.inf),
    ],
)
def test_what_no_training_gives_is_named(split, name, value):
    with pytest.raises(ValueError, match=f"{split}_{name} is {value:g}, expected"):
        check_figures({f"{split}_{name}": value})


def test_what_a_training_may_give_is_no_damage():
    rounded = {"train_accuracy": 1.0000001, "test_log_loss": -1e-16}
    check_figures(rounded | {"validation_rms_calibration_error_high": 1.1, "seconds": -1.0, "": 7})
