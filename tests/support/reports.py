"""Runs on noise, the report on them, and what a browser would see of it."""

import html
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image

from stores.features.recipe import Recipe
from stores.keys import ImageKey
from stores.manifest import Manifest
from stores.runs.record import Run
from stores.runs.store import RunStore
from tasks.features.accounting import ExtractSummary, RecipeSummary
from tasks.report.write import write_report
from tests.support.entries import Entry, as_entries, rows_of

FINGERPRINT = "ab" * 32
SCHEMA = pa.schema(
    [
        ("key", pa.binary(32)),
        ("split", pa.string()),
        ("label", pa.string()),
        ("predicted", pa.string()),
        ("scores", pa.list_(pa.float64())),
    ]
)
DENSE = {"kind": "dense", "hidden_units": [16], "epochs": 3}
LOGISTIC = {"kind": "logistic", "inverse_regularization": 0.01}
SVM = {"kind": "svm", "inverse_regularization": 0.5}
RECIPE = {
    "version": 1, "backbone": "efficientnet_lite0", "backbone_arguments": {},
    "weights": "sha256:" + "cd" * 32, "image_size": [224, 224], "color_mode": "rgb",
    "interpolation": "bilinear", "aspect_ratio": "stretch", "decode": "exact",
    "preprocessing": "(x-127)/128", "tap": "output", "pooling": "avg",
    "compute_precision": "float32", "dtype": "float32", "augmentation": "none",
}  # fmt: skip


class Page(HTMLParser):
    """What a browser would see: the text, the attributes, and everything that it would fetch."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.styled = False
        self.raw = path.read_text()
        self.feed(self.raw)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.styled = tag == "style"

    def handle_data(self, data):
        if not self.styled:
            self.words.append(data)

    def handle_endtag(self, tag):
        self.styled = False

    def attributes(self, name: str) -> list[str]:
        return [about[name] or "" for _, about in self.tags if name in about]

    def section(self, name: str, *, raw: bool = False) -> str:
        found = re.search(rf'<section id="{name}">.*?</section>', self.raw, re.DOTALL)
        assert found
        if raw:
            return found[0]
        return " ".join(html.unescape(re.sub("<[^>]*>", " ", found[0])).split())


def entry(path, content, label, split, status="accepted", reason=""):
    return Entry(path, ImageKey.of(content), label, split, status, reason, 1, 2, 3, 4)


def make_manifest(tmp_path, classes=("cats", "dogs"), sizes=(9, 6, 12), name="pets"):
    """Images of noise in a folder; of the first class twice as many as of each other one."""
    draw, entries = np.random.default_rng(0), []
    for number, label in enumerate(classes):
        for split, size in zip(("train", "validation", "test"), sizes, strict=True):
            for n in range(size if number else 2 * size):
                path = tmp_path / "images" / str(number) / f"{split}{n}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(draw.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(path)
                relative = str(path.relative_to(tmp_path / "images"))
                entries.append(entry(relative, path.read_bytes(), label, split))
    return Manifest(
        name, str(tmp_path / "images"), tuple(classes), 7, 0.2, 0.25, 0, rows_of(entries)
    )


def predict(manifest, splits, every=4, margin=False):
    """Every so many images, in the manifest's order, are taken for the next class."""
    rows, classes = [], manifest.classes
    images = [e for e in as_entries(manifest.of_status("accepted")) if e.split in splits]
    for n, image in enumerate({e.key: e for e in images}.values()):
        true = classes.index(image.label)
        said = (true + 1) % len(classes) if every and n % every == 0 else true
        scores = [-1.5 if margin else 0.1] * len(classes)
        scores[said] = (2.5 if margin else 0.6) + n / 1000
        row = {"key": bytes(image.key), "split": image.split, "label": image.label}
        rows.append(row | {"predicted": classes[said], "scores": scores})
    return pa.Table.from_pylist(rows, SCHEMA)


def accuracy(table, *splits):
    rows = [row for row in table.to_pylist() if row["split"] in splits]
    return sum(row["label"] == row["predicted"] for row in rows) / len(rows)


def guesses(manifest, seed):
    """Return predictions that are drawn by chance."""
    rng, rows = np.random.default_rng(seed), []
    images = [
        e for e in as_entries(manifest.of_status("accepted")) if e.split in ("train", "validation")
    ]
    for image in images:
        scores = rng.random(len(manifest.classes))
        row = {"key": bytes(image.key), "split": image.split, "label": image.label}
        row["predicted"] = manifest.classes[scores.argmax()]
        rows.append(row | {"scores": scores.tolist()})
    return pa.Table.from_pylist(rows, SCHEMA)


def train(store, manifest, head, every=4, epochs=0, seed=0, table=None, **about):
    table = table or predict(manifest, ("train", "validation"), every)
    run = Run(
        dataset=manifest.name,
        dataset_digest=manifest.digest,
        fingerprint=FINGERPRINT,
        classes=manifest.classes,
        head=head,
        seed=seed,
        metrics={f"{s}_accuracy": accuracy(table, s) for s in ("train", "validation")},
        parameters={"head": head["kind"], "tap": ["output"], "crop": False, "dropout": 0.2},
        versions={"keras": "3.12.0", "numpy": "2.4.6"},
        created="2026-01-02T03:04:05.678901+00:00",
    )
    if about.get("folds"):  # which held out all of these images
        run.metrics["validation_accuracy"] = accuracy(table, "train", "validation")
    run = replace(run, **about)
    if run.failure:
        run, table = replace(run, metrics={}), table.slice(0, 0)
    columns = ("loss", "accuracy", "val_loss", "val_accuracy")
    history = [dict.fromkeys(columns, 1 / (n + 1)) for n in range(epochs)]
    return RunStore(store).publish(
        run, history=history, predictions=table, save_model=lambda _: None
    )


def open_test(store, manifest, run, every=4, margin=False):
    table = predict(manifest, ("test",), every, margin)
    metrics = {"test_accuracy": accuracy(table, "test")}
    RunStore(store).open_test(run.id, asked_by="flows.train", metrics=metrics, predictions=table)
    return table


def extraction(manifest, **about):
    recipe = RecipeSummary("output", FINGERPRINT, (1280,), Recipe.from_json(json.dumps(RECIPE)))
    summary = ExtractSummary(
        dataset=manifest.name,
        images=81,
        cached=78,
        computed=3,
        checked=16,
        duplicates=0,
        rejected=(),
        notes=(),
        fingerprint=FINGERPRINT,
        feature_shape=(1280,),
        recipes=(recipe,),
        engine="openvino",
        agreement=None,
        seconds=75.25,
        images_per_second=12.5,
    )
    return replace(summary, **about)


def report(store, manifest, runs, chosen=0, costs=None, **about):
    path = write_report(
        store=store,
        manifest=manifest,
        extraction=extraction(manifest, **about),
        runs=[run.id for run in runs],
        chosen=runs[chosen].id,
        costs=costs,
    )
    return Page(path)
