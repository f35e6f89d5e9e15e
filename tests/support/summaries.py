"""Summaries as flows return them."""

from flows.summaries.stores import IngestSummary
from stores.dataset_summary import FileReason
from tasks.features.accounting import ExtractSummary

INGESTED = IngestSummary(
    dataset="pets",
    folder="/pets",
    classes=("cat", "dog"),
    images=8,
    train=5,
    validation=1,
    test=1,
    counts={
        "cat": {"train": 4, "validation": 1, "test": 1},
        "dog": {"train": 1, "validation": 0, "test": 0},
    },
    duplicates=1,
    rejected=(FileReason("cat/1.jpg", "the file is empty"),),
    ignored=(),
    remarks=(),
    remark_counts=(),
    absent=0,
    groups=None,
    seed=0,
    layout="auto",
    notes=(),
    largest_class="cat",
    largest_class_accuracy=0.75,
    read=1,
)
EXTRACTED = ExtractSummary(
    dataset="pets",
    images=8,
    cached=7,
    computed=0,
    checked=0,
    duplicates=1,
    rejected=INGESTED.rejected,
    notes=(),
    fingerprint="ab" * 32,
    feature_shape=(1280,),
    recipes=(),
    engine="none",
    agreement=None,
    seconds=1.0,
    images_per_second=0.0,
)
