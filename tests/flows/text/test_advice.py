import re
from dataclasses import asdict

import pytest

from flows.text.advice import tell_advise
from tasks.advice.recommendation import Situation, recommend
from tasks.advice.verdict import verdict_of
from tests.tasks.advice.test_verdict import evidence


def told(given, *, images=1000):
    """Return what is told of some evidence, as lines."""
    verdict = verdict_of(given)
    situation = Situation("pets", images, "early", "early", lambda *taps: str(taps), "")
    summary = {
        "dataset": "pets",
        "likeness": verdict.likeness,
        "certainty": verdict.certainty,
        "large": situation.large,
        "smallest_class": images,
        "findings": [asdict(finding) for finding in verdict.findings],
        "evidence": asdict(given),
        "method": asdict(recommend(verdict, situation)),
        "extract": {"notes": ["a folder is left out"]},
    }
    return tell_advise(summary).splitlines()


@pytest.mark.parametrize(
    ("given", "first"),
    [
        ({"early": 0.8, "p_value": 1e-9, "sureness": 0.4}, "pets: large; similar to ImageNet"),
        (
            {"early": 0.98, "p_value": 1e-9, "sureness": 0.4},
            "different .*, though not all",
        ),
        ({"sureness": 0.3}, "similar to ImageNet, as far as little evidence can say"),
        ({"sureness": 0.2}, "whether similar to ImageNet or different, the evidence does not say"),
        ({"chance": 0.5}, "nothing that the backbone sees tells the classes apart"),
    ],
)
def test_the_first_line_is_the_verdict(given, first):
    lines = told(evidence(**given))
    assert re.search(first, lines[0])
    assert all(len(line) <= 100 for line in lines if "python -m" not in line)


def test_a_run_that_is_to_be_filled_in_is_explained():
    lines = told(evidence(sureness=0.4))
    assert any("flows.finetune RUN" in line for line in lines)
    assert "RUN is the id" in lines[-1]
    assert "RUN" not in " ".join(told(evidence(sureness=0.4), images=999))


def test_what_is_left_out_of_the_data_set_is_told():
    assert "  note: a folder is left out" in told(evidence())
