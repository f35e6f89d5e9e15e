import pytest

from tasks.advice.evidence import Answers, Evidence, Layer
from tasks.advice.verdict import verdict_of
from tasks.evaluation.comparison import Difference


def evidence(*, early=0.9, late=0.9, p_value=1.0, sureness=None, chance=0.0005, logme=(0.1, 0.2)):
    """Return evidence on 400 images of two layers: `early` and the output."""
    return Evidence(
        images=400,
        classes=2,
        layers=(Layer("early", 8, early, logme[0]), Layer("output", 16, late, logme[1])),
        chance=chance,
        earlier=Difference(400, 0, 0, early - late, 0.0, 0.0, p_value),
        answers=None if sureness is None else Answers(sureness, 0.7),
    )


@pytest.mark.parametrize(
    ("given", "likeness", "certainty"),
    [
        ({"early": 0.98, "p_value": 1e-9, "sureness": 0.1, "logme": (2, 1)}, "different", "agreed"),
        ({"early": 0.98, "p_value": 1e-9, "sureness": 0.41}, "different", "disputed"),
        ({"early": 0.84, "p_value": 1e-9, "sureness": 0.41}, "similar", "agreed"),
        ({"early": 0.84, "p_value": 1e-9, "sureness": 0.2}, "similar", "disputed"),
        ({"sureness": 0.41}, "similar", "agreed"),
        ({"sureness": 0.2}, "unknown", "disputed"),
        ({"sureness": 0.3}, "similar", "little evidence"),
        ({}, "similar", "little evidence"),
        ({"early": 0.92, "p_value": 0.06}, "similar", "little evidence"),
        ({"early": 0.905, "p_value": 1e-9}, "similar", "little evidence"),
        ({"chance": 0.03, "sureness": 0.41}, "unlearnable", "agreed"),
    ],
)
def test_the_verdict(given, likeness, certainty):
    verdict = verdict_of(evidence(**given))
    assert (verdict.likeness, verdict.certainty) == (likeness, certainty)


def test_each_piece_of_evidence_is_told_with_its_figures():
    verdict = verdict_of(evidence(early=0.98, p_value=1e-9, sureness=0.41))
    probes, answers, logme = verdict.findings
    assert [one.likeness for one in (probes, answers, logme)] == ["different", "similar", "similar"]
    assert "early, an earlier layer, has 8.0% more images correct" in probes.reason
    assert "probability of 0.41" in answers.reason
