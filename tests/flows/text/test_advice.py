import re
from dataclasses import replace

import pytest

from flows.summaries.advice import AdviseSummary
from flows.text.advice import advise_text
from tasks.advice.recommendation import Situation, recommend
from tasks.advice.verdict import verdict_of
from tests.support.summaries import EXTRACTED
from tests.tasks.advice.test_verdict import evidence


def lines_of(given, *, images=1000):
    """Return the text of some evidence, as lines."""
    verdict = verdict_of(given)
    situation = Situation("pets", images, "early", "early", lambda *taps: str(taps), "")
    summary = AdviseSummary(
        dataset="pets",
        likeness=verdict.likeness,
        certainty=verdict.certainty,
        large=situation.large,
        smallest_class=images,
        findings=verdict.findings,
        evidence=given,
        method=recommend(verdict, situation),
        extract=replace(EXTRACTED, notes=("a folder is left out",)),
    )
    return advise_text(summary).splitlines()


@pytest.mark.parametrize(
    ("given", "first"),
    [
        ({"early": 0.8, "p_value": 1e-9, "sureness": 0.4}, "pets: large; similar to ImageNet"),
        (
            {"early": 0.98, "p_value": 1e-9, "sureness": 0.4},
            "different .*, though some evidence disagrees",
        ),
        ({"sureness": 0.3}, "similar to ImageNet, on little evidence"),
        ({"sureness": 0.2}, "similar to ImageNet or different: the evidence is undecided"),
        ({"chance": 0.5}, "no layer of the backbone predicts these labels better than chance"),
    ],
)
def test_the_first_line_is_the_verdict(given, first):
    lines = lines_of(evidence(**given))
    assert re.search(first, lines[0])
    assert all(len(line) <= 100 for line in lines if "python -m" not in line)


def test_a_run_that_is_to_be_filled_in_is_explained():
    lines = lines_of(evidence(sureness=0.4))
    assert any("flows.finetune RUN" in line for line in lines)
    assert "RUN is the id" in lines[-1]
    assert "RUN" not in " ".join(lines_of(evidence(sureness=0.4), images=999))


def test_what_is_left_out_of_the_data_set_is_lines_of():
    assert "  note: a folder is left out" in lines_of(evidence())
