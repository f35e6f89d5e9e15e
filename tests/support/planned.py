"""A data set with features that tell its classes apart, and heads that are trained on it."""

from tasks.heads.presets import make_heads
from tasks.training.planned_runs import PlannedRun
from tasks.training.train import train as train_all
from tests.support.samples import RECIPE


def planned(manifest, name="logistic", seed=0, folds=0, **settings):
    heads = make_heads([name], settings, classes=2, feature_shape=(4,))
    return PlannedRun(manifest, RECIPE, heads[name], seed, {"head": name}, folds)


def train(plan, *, store):
    (run,) = train_all([plan], store=store)
    return run
