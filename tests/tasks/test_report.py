"""The report: its numbers are right, what it says is escaped, and it fetches nothing."""

import html
import itertools
import re
import shlex
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from stores.errors import NotInStore
from stores.keys import ImageKey
from stores.manifest import Entry, Manifest
from stores.run import Run
from stores.runs import RunStore
from tasks.judged import wilson
from tasks.page import count, duration, percent, plain
from tasks.report import command_line, report_path, write_report

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
EVIL = "<script>alert('x')</script>"
QUOTED = "\"quoted\" & 'single'\nline"


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

    def section(self, name: str) -> str:
        found = re.search(rf'<section id="{name}">.*?</section>', self.raw, re.DOTALL)
        assert found
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
    return Manifest(name, str(tmp_path / "images"), tuple(classes), 7, 0.2, 0.25, 0, tuple(entries))


def predict(manifest, splits, every=4, margin=False):
    """Every so many images, in the manifest's order, are taken for the next class."""
    rows, classes = [], manifest.classes
    images = [e for e in manifest.of_status("accepted") if e.split in splits]
    for n, image in enumerate({e.key: e for e in images}.values()):
        true = classes.index(image.label)
        said = (true + 1) % len(classes) if every and n % every == 0 else true
        scores = [-1.5 if margin else 0.1] * len(classes)
        scores[said] = (2.5 if margin else 0.6) + n / 1000
        row = {"key": bytes(image.key), "split": image.split, "label": image.label}
        rows.append(row | {"predicted": classes[said], "scores": scores})
    return pa.Table.from_pylist(rows, SCHEMA)


def accuracy(table, split):
    rows = [row for row in table.to_pylist() if row["split"] == split]
    return sum(row["label"] == row["predicted"] for row in rows) / len(rows)


def train(store, manifest, head, every=4, epochs=0, seed=0, **about):
    table = predict(manifest, ("train", "validation"), every)
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
    run = replace(run, **about)
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
    return {
        "dataset": manifest.name, "images": 81, "cached": 78, "computed": 3, "checked": 16,
        "duplicates": 0, "rejected": [], "fingerprint": FINGERPRINT, "feature_shape": [1280],
        "recipes": [{"tap": "output", "fingerprint": FINGERPRINT, "feature_shape": [1280],
                     "recipe": RECIPE}],
        "seconds": 75.25, "images_per_second": 12.5, "engine": "openvino",
    } | about  # fmt: skip


def report(store, manifest, runs, chosen=0, **about):
    path = write_report(
        store=store,
        manifest=manifest,
        extraction=extraction(manifest, **about),
        runs=[run.id for run in runs],
        chosen=runs[chosen].id,
    )
    return Page(path)


@pytest.fixture
def manifest(tmp_path):
    return make_manifest(tmp_path)


@pytest.fixture
def store(tmp_path):
    return tmp_path / "store"


@pytest.fixture
def run(store, manifest):
    return train(store, manifest, DENSE)


def test_it_lies_where_report_path_says_and_leaves_nothing_else(store, manifest, run):
    report(store, manifest, [run])
    path = report_path(store, manifest, run.id)
    assert path == store / "reports" / f"pets-{run.id[:16]}.html"
    assert path.is_file()
    assert list((store / "reports" / "tmp").iterdir()) == []


def test_the_same_things_make_the_same_report(store, manifest):
    run = train(store, manifest, DENSE, epochs=3)
    open_test(store, manifest, run)
    assert report(store, manifest, [run]).raw == report(store, manifest, [run]).raw


def test_the_headline_is_what_an_independent_count_gives(store, manifest, run):
    rows = open_test(store, manifest, run).to_pylist()
    right = sum(row["label"] == row["predicted"] for row in rows)
    cats = sum(row["label"] == "cats" for row in rows)
    page = report(store, manifest, [run])
    assert f"{right / len(rows):.1%} test accuracy: {right} of {len(rows)} images" in page.text
    assert f"{cats / len(rows):.1%} by always saying “cats”, the largest class" in page.text
    assert "1 × the test split was opened with this run" in page.text


def test_the_largest_class_is_that_of_train_and_is_counted_on_test(store, tmp_path):
    manifest = make_manifest(tmp_path)
    entries = [e for e in manifest.entries if not (e.label == "cats" and e.split == "test")]
    manifest = replace(manifest, entries=(*entries, manifest.of_status("accepted")[-1]))
    run = train(store, manifest, DENSE)
    open_test(store, manifest, run)
    assert "0% by always saying “cats”" in report(store, manifest, [run]).text


@pytest.mark.parametrize(("right", "images"), [(0, 5), (5, 5), (1, 3), (390, 400), (999, 1000)])
def test_the_interval_is_scipys(right, images):
    from scipy.stats import binomtest

    expected = binomtest(right, images).proportion_ci(0.95, method="wilson")
    assert wilson(right, images) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_the_interval_has_exact_ends():
    assert wilson(7, 7)[1] == 1
    assert wilson(0, 7)[0] == 0
    assert wilson(0, 0) == (0, 1)


@pytest.mark.parametrize(
    ("every", "verdict"),
    [(0, "is better than"), (3, "cannot be told from"), (1, "is worse than")],
)
def test_the_head_is_judged_against_the_largest_class(store, manifest, run, every, verdict):
    open_test(store, manifest, run, every=every)
    assert f"The head {verdict} always saying “cats”" in report(store, manifest, [run]).text


def test_a_closed_test_split_is_said_and_validation_is_shown(store, manifest, run):
    page = report(store, manifest, [run])
    assert "The test split has not been opened with this run." in page.text
    expected = run.metrics["validation_accuracy"]
    assert f"{expected:.1%} validation accuracy" in page.text
    assert "Confusion on validation" in page.text
    assert "0 × the test split was opened" in page.text


def test_each_look_at_the_test_split_is_counted(store, manifest, run):
    for _ in range(3):
        open_test(store, manifest, run)
    assert "3 × the test split was opened" in report(store, manifest, [run]).text


def test_another_recorded_accuracy_than_the_counted_one_is_said(store, manifest, run):
    predictions = predict(manifest, ("test",), every=0)
    RunStore(store).open_test(
        run.id, asked_by="me", metrics={"test_accuracy": 0.5}, predictions=predictions
    )
    text = report(store, manifest, [run]).text
    assert "recorded as 50.0%; its predictions, counted here, give 100%" in text


def test_the_confusion_matrix_holds_an_independent_count(store, manifest, run):
    rows = open_test(store, manifest, run).to_pylist()
    cells = {
        pair: sum((row["label"], row["predicted"]) == pair for row in rows)
        for pair in itertools.product(manifest.classes, repeat=2)
    }
    cats, dogs = (sum(row["label"] == name for row in rows) for name in manifest.classes)
    text = report(store, manifest, [run]).section("confusion")
    assert f"cats {cells['cats', 'cats']} {cells['cats', 'dogs']} {cats}" in text
    assert f"dogs {cells['dogs', 'cats']} {cells['dogs', 'dogs']} {dogs}" in text
    recall = f"{cells['dogs', 'dogs'] / dogs:.1%}"
    precision = f"{cells['dogs', 'dogs'] / (cells['dogs', 'dogs'] + cells['cats', 'dogs']):.1%}"
    assert f"dogs {dogs} {recall} {precision}" in text


def test_many_classes_are_told_by_their_most_confused_pairs(store, tmp_path):
    manifest = make_manifest(tmp_path, [f"class {n:02d}" for n in range(22)], (1, 1, 2))
    run = train(store, manifest, DENSE)
    open_test(store, manifest, run, every=2)
    text = report(store, manifest, [run]).section("confusion")
    assert "class 00 class 01 2" in text
    assert "The most confused of 22 classes" in text
    assert "true ↓" not in text


def test_sizes_are_those_of_the_manifest(store, manifest, run):
    text = report(store, manifest, [run]).section("dataset")
    assert "cats 18 12 24 54" in text
    assert "dogs 9 6 12 27" in text
    assert "all 2 classes 27 18 36 81" in text
    assert "“cats” is the largest class with 18 images (66.7%)" in text
    assert "a ratio of 2.0 to 1" in text


def test_what_is_left_out_is_listed_with_its_reason(store, manifest, run):
    first = manifest.entries[0]
    manifest = replace(
        manifest,
        entries=(
            *manifest.entries,
            replace(first, path="0/copy.png"),
            entry("0/<b>broken</b>.png", b"1", "cats", None, "rejected", "cut & short"),
            entry("0/new.webp", b"2", "cats", None, "ignored"),
            entry("notes", b"3", None, None, "ignored"),
            entry("0/gone.png", b"4", "cats", "test", "absent"),
        ),
    )
    rejected = [{"path": "1/odd\udcff.png", "reason": "cannot be\nread"}]
    page = report(store, manifest, [run], rejected=rejected)
    text = page.section("dataset")
    assert f"{first.path}, 0/copy.png" in text
    assert "0/<b>broken</b>.png : cut & short" in text
    assert "<b>broken" not in page.raw
    assert "1/odd\\udcff.png : cannot be\\nread" in text
    assert ".webp 1, no ending 1 (2)" in text
    assert "0/gone.png" in text


def test_a_long_list_is_folded_and_capped_with_a_count(store, manifest, run):
    rejected = [{"path": f"{n}.png", "reason": "empty"} for n in range(1234)]
    page = report(store, manifest, [run], rejected=rejected)
    assert "and 1,134 more, not shown" in page.text
    assert "99.png" in page.text
    assert "100.png" not in page.text


def test_what_was_computed_is_accounted_for(store, manifest, run):
    text = report(store, manifest, [run]).section("features")
    for told in ("cached 78", "computed 3", "checked 16", "time 1 min 15 s", "12.5 images/s"):
        assert told in text
    for told in ("tap output", "pooling avg", "224 × 224 pixels", RECIPE["weights"], FINGERPRINT):
        assert told in text


def test_nothing_to_compute_is_said(store, manifest, run):
    text = report(store, manifest, [run], computed=0, cached=81, engine="auto").section("features")
    assert "Nothing had to be computed: all 81 features were in the store." in text
    assert "engine none needed" in text


def test_candidates_stand_in_the_order_of_validation_with_the_chosen_one_marked(store, manifest):
    heads = [(LOGISTIC, 3), (DENSE, 0), (SVM, 2)]
    runs = [train(store, manifest, head, every=every) for head, every in heads]
    text = report(store, manifest, runs, chosen=1).section("heads")
    assert "The choice was made on validation" in text
    assert "hidden_units 16, epochs 3" in text.replace("\xa0", " ")
    assert text.index("dense chosen") < text.index("logistic") < text.index("svm")
    best = runs[0].metrics
    assert f"{best['train_accuracy']:.1%} {best['validation_accuracy']:.1%} 0 ×" in text


def test_a_better_candidate_than_the_chosen_one_is_said(store, manifest):
    runs = [train(store, manifest, DENSE, every=2), train(store, manifest, SVM, every=5)]
    assert "has a higher validation accuracy than the chosen one" in report(
        store, manifest, runs
    ).section("heads")
    assert "higher validation accuracy" not in report(store, manifest, runs, chosen=1).text


def test_the_chosen_run_is_a_candidate_even_if_it_was_not_named(store, manifest, run):
    other = train(store, manifest, SVM)
    path = write_report(
        store=store,
        manifest=manifest,
        extraction=extraction(manifest),
        runs=[other.id],
        chosen=run.id[:20],
    )
    assert run.id[:16] in Page(path).section("heads")


def test_heads_with_epochs_have_curves_and_the_others_are_named(store, manifest):
    runs = [train(store, manifest, DENSE, epochs=3), train(store, manifest, SVM)]
    page = report(store, manifest, runs)
    assert sum(tag == "svg" for tag, _ in page.tags) == 2
    assert "No learning curve for svm (1 head)" in page.text


def test_a_head_without_history_has_no_curve(store, manifest):
    page = report(store, manifest, [train(store, manifest, LOGISTIC)])
    assert all(tag != "svg" for tag, _ in page.tags)


def test_the_nine_images_are_the_first_by_key(store, manifest, run):
    open_test(store, manifest, run)
    test = {e.key: e.path for e in manifest.entries if e.split == "test"}
    page = report(store, manifest, [run])
    expected = [test[key] for key in sorted(test)[:9]]
    assert [about["alt"] for tag, about in page.tags if tag == "img"][:9] == expected
    assert "Nine test images" in page.text


def test_mistakes_are_shown_with_the_surest_first(store, manifest, run):
    rows = open_test(store, manifest, run, every=3).to_pylist()
    wrong = [row for row in rows if row["label"] != row["predicted"]]
    wrong.sort(key=lambda row: -max(row["scores"]))
    text = report(store, manifest, [run]).section("mistakes")
    assert text.count("✗ predicted") == min(12, len(wrong))
    first = wrong[0]
    assert text.index(f"predicted {first['predicted']} true class {first['label']}") < text.index(
        f"probability {max(wrong[-1]['scores']):.1%}; of the true class 10.0%"
    )


def test_an_svm_has_margins_and_no_probabilities(store, manifest):
    run = train(store, manifest, SVM)
    open_test(store, manifest, run, margin=True)
    text = report(store, manifest, [run]).section("mistakes")
    assert re.search(r"margin 2\.5\d; of the true class -1\.50", text)
    assert "probability 2" not in text


def test_no_mistake_is_said_too(store, manifest, run):
    open_test(store, manifest, run, every=0)
    page = report(store, manifest, [run])
    assert "There is none: all 36 test images are right." in page.text
    assert "100% test accuracy" in page.text
    assert "–100% 95% interval" in page.text


def test_a_file_that_is_gone_or_changed_does_no_harm(store, manifest, run):
    open_test(store, manifest, run)
    for image in manifest.entries:
        path = Path(manifest.folder, image.path)
        path.unlink() if image.label == "cats" else path.write_bytes(b"other")
    assert report(store, manifest, [run]).raw.count("data:image/svg+xml") > 9


def test_a_data_set_that_changed_since_is_said(store, manifest, run):
    assert "The data set has changed" not in report(store, manifest, [run]).text
    moved = replace(manifest.entries[0], split="validation")
    added = entry("0/new.png", b"new", "cats", "train")
    later = replace(manifest, entries=(moved, *manifest.entries[2:], added))
    text = report(store, later, [run]).text
    assert "2 images only in the data set as it is now, 2 images only in the run" in text


def test_all_that_is_needed_to_repeat_it_is_there(store, manifest, run):
    text = report(store, manifest, [run]).section("repeat")
    for told in (run.id, manifest.digest, FINGERPRINT, "head seed 0", "split seed 7", "keras 3.12"):
        assert told in text
    assert '"hidden_units": [ 16 ]' in text
    assert '"weights": "sha256:' in text
    assert "python -m flows.pipeline" in text


def test_the_command_line_survives_a_shell(store, manifest):
    odd = {"weights": "my file's <1>.h5", "tap": ["a", "b"], "crop": True, "rehash": False}
    run = train(store, manifest, DENSE, parameters=odd | {"seed": 3, "x": None, "rate": -1})
    shown = html.unescape(
        re.findall("<pre>(.*?)</pre>", report(store, manifest, [run]).raw, re.DOTALL)[0]
    )
    shell = subprocess.run(
        ["sh", "-c", rf"printf '%s\n' {shown}"], check=True, capture_output=True, text=True
    )
    words = shell.stdout.splitlines()
    assert words[:4] == ["python", "-m", "flows.pipeline", manifest.folder]
    assert {"--weights=my file's <1>.h5", "--tap=a", "--tap=b", "--crop", "--seed=3"} < set(words)
    assert {"--rate=-1", "--test-split=0.2", f"--store={store}"} < set(words)
    assert not {word for word in words if word.startswith(("--rehash", "--x"))}


def test_a_run_of_flows_train_is_repeated_by_it(store, manifest, run):
    asked = replace(run, parameters={"open_test": True})
    words = shlex.split(" ".join(command_line(asked, manifest, store)))
    expected = ["python", "-m", "flows.train", "pets", "--seed=0", "--open-test"]
    assert words == [*expected, f"--store={store}"]


@pytest.fixture
def evil_page(store, tmp_path):
    manifest = make_manifest(tmp_path, (EVIL, QUOTED, "\u202eltr"), name=f"set {EVIL[1:8]}")
    images = [replace(e, path=f"{EVIL[:8]}{n}") for n, e in enumerate(manifest.entries)]
    manifest = replace(manifest, entries=tuple(images))
    run = train(
        store,
        manifest,
        {"kind": EVIL, QUOTED: EVIL},
        parameters={EVIL: QUOTED, "head": EVIL},
        versions={EVIL: EVIL},
    )
    open_test(store, manifest, run)
    about = {"engine": EVIL, "rejected": [{"path": QUOTED, "reason": EVIL}]}
    return report(store, manifest, [run], **about)


def test_names_are_shown_and_not_obeyed(evil_page):
    assert "<script" not in evil_page.raw
    assert "script" not in {tag for tag, _ in evil_page.tags}
    assert EVIL in evil_page.text
    assert QUOTED.replace("\n", "\\n") in evil_page.text
    assert "\\u202eltr" in evil_page.text
    assert "\u202e" not in evil_page.raw
    assert not [name for _, about in evil_page.tags for name in about if name.startswith("on")]


def test_nothing_is_fetched_from_anywhere(evil_page, store, manifest):
    for page in (evil_page, report(store, manifest, [train(store, manifest, DENSE, epochs=2)])):
        addresses = [
            address
            for name in ("src", "href", "xlink:href", "srcset", "data", "poster", "action")
            for address in page.attributes(name)
        ]
        assert addresses
        assert all(address.startswith(("data:", "#")) for address in addresses)
        assert "http" not in page.raw
        assert "@import" not in page.raw
        assert all(url.startswith("#") for url in re.findall(r"url\(([^)]*)\)", page.raw))


def test_each_identifier_stands_once_and_each_fragment_leads_somewhere(store, manifest):
    runs = [train(store, manifest, DENSE, epochs=3, seed=seed) for seed in range(2)]
    page = report(store, manifest, runs)
    identifiers = page.attributes("id")
    assert len(identifiers) == len(set(identifiers))
    fragments = [*page.attributes("href"), *page.attributes("xlink:href")]
    assert {f[1:] for f in fragments if f.startswith("#")} <= set(identifiers)


def test_long_class_names_are_whole(store, tmp_path):
    names = [f"{'long ' * 11}{n:05d}" for n in range(3)]
    manifest = make_manifest(tmp_path, names)
    run = train(store, manifest, DENSE)
    assert all(name in report(store, manifest, [run]).section("confusion") for name in names)


def test_a_data_set_of_the_longest_name_has_a_report(store, tmp_path):
    manifest = make_manifest(tmp_path, sizes=(1, 1, 1), name="é" * 100)
    assert report(store, manifest, [train(store, manifest, DENSE)]).text


def test_an_unknown_run_is_an_error(store, manifest):
    with pytest.raises(NotInStore):
        write_report(
            store=store,
            manifest=manifest,
            extraction=extraction(manifest),
            runs=[],
            chosen="0" * 64,
        )


def test_importing_it_is_cheap():
    code = (
        "import sys, tasks.report;assert not {'matplotlib', 'PIL', 'tensorflow'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


def test_numbers_are_written_for_readers():
    assert [percent(s) for s in (0, 0.0001, 0.5, 0.9999, 1, None)] == [
        "0%", "< 0.1%", "50.0%", "> 99.9%", "100%", "–",
    ]  # fmt: skip
    assert [count(1, "image"), count(1234, "class")] == ["1 image", "1,234 classes"]
    assert [duration(s) for s in (1.25, 75.25, 7260)] == ["1.2 s", "1 min 15 s", "2 h 1 min"]
    assert plain("a\tb\udcff") == "a\\tb\\udcff"
