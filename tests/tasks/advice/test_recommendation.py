import pytest

from tasks.advice.recommendation import Situation, recommend
from tasks.advice.verdict import Finding, Verdict


def advise(likeness, images, *, contrary=(), tunable=True):
    findings = [Finding(kind, "") for kind in (likeness, likeness, *contrary)]
    situation = Situation(
        dataset="my pets",
        smallest_class=images,
        earlier="early",
        last_stage="late",
        flags=lambda *taps: " ".join(f"--tap={tap}" for tap in taps),
        store="--store=there",
        tunable=tunable,
    )
    return recommend(Verdict(likeness, tuple(findings)), situation)


def strategies(method):
    return [command.split("--strategy=")[1] for command in method.commands if "finetune" in command]


@pytest.mark.parametrize(
    ("likeness", "images", "tap", "finetuned"),
    [
        ("similar", 999, "output", []),
        ("different", 999, "early", []),
        ("similar", 1000, "output", ["top-layers --unfreeze=late"]),
        ("different", 1000, "output", ["full", "scratch"]),
    ],
)
def test_the_two_by_two(likeness, images, tap, finetuned):
    method = advise(likeness, images)
    assert method.commands[0] == f"python -m flows.extract 'my pets' --tap={tap}"
    assert method.commands[1].startswith(f"python -m flows.train 'my pets' --tap={tap} --head=")
    assert strategies(method) == finetuned
    assert ("linear classifier" in method.what) == (images < 1000)
    assert all("RUN --store=there" in c for c in method.commands if "finetune" in c)


@pytest.mark.parametrize(("likeness", "first"), [("similar", "output"), ("different", "early")])
def test_where_evidence_disagrees_both_layers_are_tried(likeness, first):
    other = {"output": "early", "early": "output"}[first]
    contrary = {"similar": "different", "different": "similar"}[likeness]
    extract, train, sweep = advise(likeness, 50, contrary=[contrary]).commands
    assert f"--tap={first} --tap={other}" in extract
    assert f"--tap={first} --head" in train
    assert sweep.endswith(f"--grid=tap={first},{other}")


def test_what_the_evidence_leaves_open_is_compared_and_then_fine_tuned_where_there_is_enough():
    assert "compare" in advise("unknown", 50).what
    assert strategies(advise("unknown", 50)) == []
    assert strategies(advise("unknown", 5000)) == ["top-layers --unfreeze=late", "full"]


@pytest.mark.parametrize("likeness", ["similar", "different", "unknown"])
def test_what_cannot_be_trained_is_not_to_be_fine_tuned(likeness):
    method = advise(likeness, 5000, tunable=False)
    assert "for inference only" in method.why
    assert strategies(method) == []
    assert "--tap=output --tap=early" in method.commands[0]
    assert advise(likeness, 50, tunable=False) == advise(likeness, 50)


def test_where_nothing_can_be_learned_nothing_is_to_be_run():
    method = advise("unlearnable", 5000)
    assert method.commands == ()
    assert "labels" in method.what
