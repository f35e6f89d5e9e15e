"""Transfer learning on your own images: the types of the public names.

Written by `python -m gargalo.stub`.
"""

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any, Literal, Optional, Union

from tasks.errors import ExtractionError as ExtractionError
from stores.features.store import FeatureStore as FeatureStore
from tasks.heads.sklearn_estimator import HeadClassifier as HeadClassifier
from tasks.heads.sklearn_estimator import HeadRegressor as HeadRegressor
from tasks.errors import InputError as InputError
from stores.manifest import Manifest as Manifest
from stores.runs.store import RunStore as RunStore
from stores.errors import StoreError as StoreError
from tasks.features.tf_dataset import feature_dataset as feature_dataset
from flows.summaries.advice import AdviseSummary
from flows.summaries.backbones import DescribeSummary
from flows.summaries.exploration import ClustersSummary
from flows.summaries.exploration import NextSummary
from flows.summaries.exploration import SimilarSummary
from flows.summaries.features import Features
from flows.summaries.heads import FinetuneSummary
from flows.summaries.heads import PipelineSummary
from flows.summaries.heads import SweepSummary
from flows.summaries.heads import TrainSummary
from flows.summaries.predictions import PredictSummary
from flows.summaries.review import ReviewSummary
from flows.summaries.runs import CompareSummary
from flows.summaries.runs import RunsExportSummary
from flows.summaries.runs import RunsListSummary
from flows.summaries.runs import RunsShowSummary
from flows.summaries.stores import ExportSummary
from flows.summaries.stores import GarbageSummary
from flows.summaries.stores import IngestSummary
from flows.summaries.stores import ListSummary
from flows.summaries.stores import MergeSummary
from flows.summaries.stores import ReindexSummary
from flows.summaries.stores import SearchedExtractSummary
from flows.summaries.stores import StatsSummary
from flows.summaries.stores import VerifySummary

def advise(
    source: str | PathLike[str],
    *,
    store: str | PathLike[str] = 'feature-store',
    dataset: str | None = None,
    seed: int | None = None,
    test_split: float | None = None,
    validation_split: float | None = None,
    layout: str | None = None,
    labels: str | PathLike[str] | None = None,
    column: str | Sequence[str] | None = None,
    label_separator: str | None = None,
    target: str | None = None,
    group: str | None = None,
    group_pattern: str | None = None,
    orientation: Optional[Literal['upright', 'stored']] = None,
    corrections: str | PathLike[str] | None = None,
    split_file: str | PathLike[str] | None = None,
    split_by: Optional[Literal['chance', 'time']] = None,
    keep_together: Optional[Literal['none', 'near-duplicates']] = None,
    rehash: bool = False,
    read_through: str | Sequence[str] | None = None,
    backbone: str | PathLike[str] = 'efficientnet_lite0',
    image_size: int | None = None,
    weights: str | PathLike[str] = 'imagenet',
    preset: Optional[Literal['clip', 'imagenet', 'inception', 'raw', 'siglip']] = None,
    tap: str | Sequence[str] = [],
    pooling: Literal['avg', 'max', 'cls', 'mean-tokens', 'cls+mean'] = 'avg',
    dtype: Literal['float32', 'float16'] = 'float32',
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    decode: Literal['exact', 'fast'] = 'exact',
    precision: Literal['float32', 'bfloat16'] = 'float32',
    engine: Union[Literal['keras', 'openvino'], Literal['auto']] = 'auto',
    batch_size: int = 32,
    shard_size: int = 512,
) -> AdviseSummary:
    """Measure whether images are like ImageNet's, and advise a method of transfer learning."""

def backbone(
    action: Literal['describe'],
    file: str | PathLike[str],
    *,
    preset: Literal['clip', 'imagenet', 'inception', 'raw', 'siglip'] = 'raw',
) -> DescribeSummary:
    """Look at a file as a backbone: an ONNX file, OpenVINO's own format, or a Keras model."""

def clusters(
    source: str | PathLike[str],
    *,
    store: str | PathLike[str] = 'feature-store',
    dataset: str | None = None,
    seed: int | None = None,
    test_split: float | None = None,
    validation_split: float | None = None,
    layout: str | None = None,
    labels: str | PathLike[str] | None = None,
    column: str | Sequence[str] | None = None,
    label_separator: str | None = None,
    target: str | None = None,
    group: str | None = None,
    group_pattern: str | None = None,
    orientation: Optional[Literal['upright', 'stored']] = None,
    corrections: str | PathLike[str] | None = None,
    split_file: str | PathLike[str] | None = None,
    split_by: Optional[Literal['chance', 'time']] = None,
    keep_together: Optional[Literal['none', 'near-duplicates']] = None,
    rehash: bool = False,
    read_through: str | Sequence[str] | None = None,
    backbone: str | PathLike[str] = 'efficientnet_lite0',
    image_size: int | None = None,
    weights: str | PathLike[str] = 'imagenet',
    preset: Optional[Literal['clip', 'imagenet', 'inception', 'raw', 'siglip']] = None,
    tap: str | Sequence[str] = ['output'],
    pooling: Literal['avg', 'max', 'none', 'cls', 'mean-tokens', 'cls+mean'] = 'avg',
    dtype: Literal['float32', 'float16'] = 'float32',
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    decode: Literal['exact', 'fast'] = 'exact',
    precision: Literal['float32', 'bfloat16', 'int8'] = 'float32',
    engine: Union[Literal['keras', 'openvino'], Literal['auto']] = 'auto',
    batch_size: int = 32,
    shard_size: int = 512,
    run: str | None = None,
    output: str | PathLike[str] | None = None,
    k: Union[int, Literal['auto']] = 'auto',
    page: str | PathLike[str] | None = None,
) -> ClustersSummary:
    """Group images by their features, and show the most central ones of each cluster."""

def export(
    run: str | PathLike[str],
    folder: str | PathLike[str],
    *,
    store: str | PathLike[str] = 'feature-store',
    format: Union[Literal['saved-model', 'keras', 'openvino', 'onnx'], Sequence[Literal['saved-model', 'keras', 'openvino', 'onnx']]] = ['saved-model', 'keras', 'openvino'],
    force: bool = False,
    weights: str | PathLike[str] | None = None,
) -> ExportSummary:
    """Write a run as one model that takes an image and returns its class, labels or number."""

def extract(
    source: str | PathLike[str],
    *,
    store: str | PathLike[str] = 'feature-store',
    dataset: str | None = None,
    seed: int | None = None,
    test_split: float | None = None,
    validation_split: float | None = None,
    layout: str | None = None,
    labels: str | PathLike[str] | None = None,
    column: str | Sequence[str] | None = None,
    label_separator: str | None = None,
    target: str | None = None,
    group: str | None = None,
    group_pattern: str | None = None,
    orientation: Optional[Literal['upright', 'stored']] = None,
    corrections: str | PathLike[str] | None = None,
    split_file: str | PathLike[str] | None = None,
    split_by: Optional[Literal['chance', 'time']] = None,
    keep_together: Optional[Literal['none', 'near-duplicates']] = None,
    rehash: bool = False,
    read_through: str | Sequence[str] | None = None,
    backbone: str | PathLike[str] = 'efficientnet_lite0',
    image_size: int | None = None,
    weights: str | PathLike[str] = 'imagenet',
    preset: Optional[Literal['clip', 'imagenet', 'inception', 'raw', 'siglip']] = None,
    tap: str | Sequence[str] = ['output'],
    pooling: Literal['avg', 'max', 'none', 'cls', 'mean-tokens', 'cls+mean'] = 'avg',
    dtype: Literal['float32', 'float16'] = 'float32',
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    decode: Literal['exact', 'fast'] = 'exact',
    precision: Literal['float32', 'bfloat16', 'int8'] = 'float32',
    engine: Union[Literal['keras', 'openvino'], Literal['auto']] = 'auto',
    batch_size: int = 32,
    shard_size: int = 512,
) -> SearchedExtractSummary:
    """Compute the features that are missing in the store, once for each image."""

def features(
    source: str | PathLike[str],
    *,
    store: str | PathLike[str] = 'feature-store',
    dataset: str | None = None,
    seed: int | None = None,
    test_split: float | None = None,
    validation_split: float | None = None,
    layout: str | None = None,
    labels: str | PathLike[str] | None = None,
    column: str | Sequence[str] | None = None,
    label_separator: str | None = None,
    target: str | None = None,
    group: str | None = None,
    group_pattern: str | None = None,
    orientation: Optional[Literal['upright', 'stored']] = None,
    corrections: str | PathLike[str] | None = None,
    split_file: str | PathLike[str] | None = None,
    split_by: Optional[Literal['chance', 'time']] = None,
    keep_together: Optional[Literal['none', 'near-duplicates']] = None,
    rehash: bool = False,
    read_through: str | Sequence[str] | None = None,
    backbone: str | PathLike[str] = 'efficientnet_lite0',
    image_size: int | None = None,
    weights: str | PathLike[str] = 'imagenet',
    preset: Optional[Literal['clip', 'imagenet', 'inception', 'raw', 'siglip']] = None,
    tap: str | Sequence[str] = ['output'],
    pooling: Literal['avg', 'max', 'none', 'cls', 'mean-tokens', 'cls+mean'] = 'avg',
    dtype: Literal['float32', 'float16'] = 'float32',
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    decode: Literal['exact', 'fast'] = 'exact',
    precision: Literal['float32', 'bfloat16', 'int8'] = 'float32',
    engine: Union[Literal['keras', 'openvino'], Literal['auto']] = 'auto',
    batch_size: int = 32,
    shard_size: int = 512,
) -> Features:
    """Return the features of images and their paths; those missing in the store are computed."""

def finetune(
    run: str | PathLike[str],
    *,
    store: str | PathLike[str] = 'feature-store',
    read_through: str | Sequence[str] | None = None,
    strategy: Literal['features', 'partial', 'top-layers', 'full', 'scratch'] = 'top-layers',
    unfreeze: str | None = None,
    epochs: int = 10,
    learning_rate: float | None = None,
    optimizer: Optional[Literal['adam', 'rmsprop', 'sgd']] = None,
    patience: int | None = None,
    batch_size: int = 32,
    augment: str | Sequence[str] = [],
    views: int = 0,
    prefix: Literal['images', 'cached'] = 'images',
    train_batch_norm: bool | None = None,
    untrained_head: bool = False,
    seed: int | None = None,
    image_size: int | None = None,
    cost: str | Sequence[str] = [],
    weights: str | PathLike[str] | None = None,
    engine: Union[Literal['keras', 'openvino'], Literal['auto']] = 'auto',
    open_test: bool = False,
) -> FinetuneSummary:
    """Fine-tune a run's backbone and head on the images."""

def ingest(
    folder: str | PathLike[str],
    *,
    store: str | PathLike[str] = 'feature-store',
    dataset: str | None = None,
    seed: int | None = None,
    test_split: float | None = None,
    validation_split: float | None = None,
    layout: str | None = None,
    labels: str | PathLike[str] | None = None,
    column: str | Sequence[str] | None = None,
    label_separator: str | None = None,
    target: str | None = None,
    group: str | None = None,
    group_pattern: str | None = None,
    orientation: Optional[Literal['upright', 'stored']] = None,
    corrections: str | PathLike[str] | None = None,
    split_file: str | PathLike[str] | None = None,
    split_by: Optional[Literal['chance', 'time']] = None,
    keep_together: Optional[Literal['none', 'near-duplicates']] = None,
    rehash: bool = False,
    verbose: bool = False,
) -> IngestSummary:
    """Find, check, hash and split the images of a folder."""

def maintain(
    action: Literal['stats', 'verify', 'reindex', 'gc', 'list', 'merge'],
    *,
    store: str | PathLike[str] = 'feature-store',
    other: str | PathLike[str] | None = None,
    delete: bool = False,
    grace_hours: float = 1.0,
) -> StatsSummary | VerifySummary | ReindexSummary | GarbageSummary | ListSummary | MergeSummary:
    """Look after a store."""

def next_images(
    source: str | PathLike[str],
    *,
    store: str | PathLike[str] = 'feature-store',
    dataset: str | None = None,
    seed: int | None = None,
    test_split: float | None = None,
    validation_split: float | None = None,
    layout: str | None = None,
    labels: str | PathLike[str] | None = None,
    column: str | Sequence[str] | None = None,
    label_separator: str | None = None,
    target: str | None = None,
    group: str | None = None,
    group_pattern: str | None = None,
    orientation: Optional[Literal['upright', 'stored']] = None,
    corrections: str | PathLike[str] | None = None,
    split_file: str | PathLike[str] | None = None,
    split_by: Optional[Literal['chance', 'time']] = None,
    keep_together: Optional[Literal['none', 'near-duplicates']] = None,
    rehash: bool = False,
    read_through: str | Sequence[str] | None = None,
    backbone: str | PathLike[str] = 'efficientnet_lite0',
    image_size: int | None = None,
    weights: str | PathLike[str] = 'imagenet',
    preset: Optional[Literal['clip', 'imagenet', 'inception', 'raw', 'siglip']] = None,
    tap: str | Sequence[str] = ['output'],
    pooling: Literal['avg', 'max', 'none', 'cls', 'mean-tokens', 'cls+mean'] = 'avg',
    dtype: Literal['float32', 'float16'] = 'float32',
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    decode: Literal['exact', 'fast'] = 'exact',
    precision: Literal['float32', 'bfloat16', 'int8'] = 'float32',
    engine: Union[Literal['keras', 'openvino'], Literal['auto']] = 'auto',
    batch_size: int = 32,
    shard_size: int = 512,
    run: str | None = None,
    output: str | PathLike[str] | None = None,
    k: int = 100,
    labelled: str | None = None,
    method: Literal['auto', 'typical', 'uncertain'] = 'auto',
    grid: str | PathLike[str] | None = None,
) -> NextSummary:
    """Choose the images whose labels would teach a head most, of those that have none."""

def pipeline(
    folder: str | PathLike[str] | None = None,
    *,
    store: str | PathLike[str] = 'feature-store',
    dataset: str | None = None,
    seed: int | None = None,
    test_split: float | None = None,
    validation_split: float | None = None,
    layout: str | None = None,
    labels: str | PathLike[str] | None = None,
    column: str | Sequence[str] | None = None,
    label_separator: str | None = None,
    target: str | None = None,
    group: str | None = None,
    group_pattern: str | None = None,
    orientation: Optional[Literal['upright', 'stored']] = None,
    corrections: str | PathLike[str] | None = None,
    split_file: str | PathLike[str] | None = None,
    split_by: Optional[Literal['chance', 'time']] = None,
    keep_together: Optional[Literal['none', 'near-duplicates']] = None,
    rehash: bool = False,
    read_through: str | Sequence[str] | None = None,
    backbone: str | PathLike[str] = 'efficientnet_lite0',
    image_size: int | None = None,
    weights: str | PathLike[str] = 'imagenet',
    preset: Optional[Literal['clip', 'imagenet', 'inception', 'raw', 'siglip']] = None,
    tap: str | Sequence[str] = ['output'],
    pooling: Literal['avg', 'max', 'none', 'cls', 'mean-tokens', 'cls+mean'] = 'avg',
    dtype: Literal['float32', 'float16'] = 'float32',
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    decode: Literal['exact', 'fast'] = 'exact',
    precision: Literal['float32', 'bfloat16', 'int8'] = 'float32',
    head: Union[Literal['centroid', 'dense', 'knn', 'logistic', 'ridge', 'svm', 'tutorial', 'cabral', 'resnet-softmax', 'lenet5', 'alexnet'], Sequence[Literal['centroid', 'dense', 'knn', 'logistic', 'ridge', 'svm', 'tutorial', 'cabral', 'resnet-softmax', 'lenet5', 'alexnet']], None] = None,
    folds: int = 0,
    fold_seed: int = 0,
    hidden_units: int | Sequence[int] | None = None,
    activation: Optional[Literal['relu', 'leaky_relu', 'relu6', 'elu', 'selu', 'gelu', 'silu', 'mish', 'softplus', 'tanh', 'sigmoid']] = None,
    dropout: float | None = None,
    optimizer: Optional[Literal['adam', 'rmsprop', 'sgd']] = None,
    learning_rate: float | None = None,
    schedule: Optional[Literal['constant', 'cosine']] = None,
    epochs: int | None = None,
    patience: int | None = None,
    head_batch_size: int | None = None,
    l2: float | None = None,
    label_smoothing: float | None = None,
    batch_norm: bool | None = None,
    inverse_regularization: float | None = None,
    penalty: float | None = None,
    neighbors: int | None = None,
    metric: Optional[Literal['cosine', 'euclidean']] = None,
    class_weights: Optional[Literal['none', 'balanced']] = None,
    standardize: bool | None = None,
    engine: Union[Literal['keras', 'openvino'], Literal['auto']] = 'auto',
    batch_size: int = 32,
    shard_size: int = 512,
    cost: str | Sequence[str] = [],
) -> PipelineSummary:
    """Turn a folder of images into a tested classifier and a report."""

def predict(
    model: str | PathLike[str],
    images: str | PathLike[str] | Sequence[str | PathLike[str]],
    *,
    store: str | PathLike[str] = 'feature-store',
    read_through: str | Sequence[str] | None = None,
    output: str | PathLike[str] | None = None,
    grid: str | PathLike[str] | None = None,
    coverage: float | None = None,
    sets: Literal['lac', 'aps'] = 'lac',
    coverage_by: Optional[Literal['class', 'group']] = None,
    cost: str | Sequence[str] = [],
    novelty: float | None = None,
    weights: str | PathLike[str] | None = None,
    engine: Union[Literal['keras', 'openvino'], Literal['auto']] = 'auto',
    batch_size: int = 32,
) -> PredictSummary:
    """Predict what images show, by a run or by an exported model."""

def review(
    name: str | PathLike[str],
    *,
    store: str | PathLike[str] = 'feature-store',
    run: str | Sequence[str] | None = None,
    port: int = 0,
    no_browser: bool = False,
) -> ReviewSummary:
    """Show the images of a data set on a page of this machine, on which people mend their labels."""

def runs(
    action: Literal['list', 'show', 'compare', 'export'],
    names: str | Sequence[str] = (),
    *,
    store: str | PathLike[str] = 'feature-store',
    dataset: str | None = None,
    sort_by: str | None = None,
    limit: int = 20,
) -> RunsListSummary | RunsShowSummary | CompareSummary | RunsExportSummary:
    """List, show, compare and export the runs of a store."""

def similar(
    images: str | PathLike[str] | Sequence[str | PathLike[str]],
    *,
    store: str | PathLike[str] = 'feature-store',
    dataset: str | None = None,
    seed: int | None = None,
    test_split: float | None = None,
    validation_split: float | None = None,
    layout: str | None = None,
    labels: str | PathLike[str] | None = None,
    column: str | Sequence[str] | None = None,
    label_separator: str | None = None,
    target: str | None = None,
    group: str | None = None,
    group_pattern: str | None = None,
    orientation: Optional[Literal['upright', 'stored']] = None,
    corrections: str | PathLike[str] | None = None,
    split_file: str | PathLike[str] | None = None,
    split_by: Optional[Literal['chance', 'time']] = None,
    keep_together: Optional[Literal['none', 'near-duplicates']] = None,
    rehash: bool = False,
    read_through: str | Sequence[str] | None = None,
    backbone: str | PathLike[str] = 'efficientnet_lite0',
    image_size: int | None = None,
    weights: str | PathLike[str] = 'imagenet',
    preset: Optional[Literal['clip', 'imagenet', 'inception', 'raw', 'siglip']] = None,
    tap: str | Sequence[str] = ['output'],
    pooling: Literal['avg', 'max', 'none', 'cls', 'mean-tokens', 'cls+mean'] = 'avg',
    dtype: Literal['float32', 'float16'] = 'float32',
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    decode: Literal['exact', 'fast'] = 'exact',
    precision: Literal['float32', 'bfloat16', 'int8'] = 'float32',
    engine: Union[Literal['keras', 'openvino'], Literal['auto']] = 'auto',
    batch_size: int = 32,
    shard_size: int = 512,
    run: str | None = None,
    output: str | PathLike[str] | None = None,
    within: str | None = None,
    k: int = 10,
    grid: str | PathLike[str] | None = None,
) -> SimilarSummary:
    """Find the images of a data set whose features are most similar to those of some images."""

def sweep(
    dataset: str | PathLike[str],
    file: str | PathLike[str] | None = None,
    *,
    store: str | PathLike[str] = 'feature-store',
    read_through: str | Sequence[str] | None = None,
    backbone: str | PathLike[str] = 'efficientnet_lite0',
    image_size: int | None = None,
    weights: str | PathLike[str] = 'imagenet',
    preset: Optional[Literal['clip', 'imagenet', 'inception', 'raw', 'siglip']] = None,
    tap: str | Sequence[str] = ['output'],
    pooling: Literal['avg', 'max', 'none', 'cls', 'mean-tokens', 'cls+mean'] = 'avg',
    dtype: Literal['float32', 'float16'] = 'float32',
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    decode: Literal['exact', 'fast'] = 'exact',
    precision: Literal['float32', 'bfloat16', 'int8'] = 'float32',
    seed: int | None = None,
    head: Union[Literal['centroid', 'dense', 'knn', 'logistic', 'ridge', 'svm', 'tutorial', 'cabral', 'resnet-softmax', 'lenet5', 'alexnet'], Sequence[Literal['centroid', 'dense', 'knn', 'logistic', 'ridge', 'svm', 'tutorial', 'cabral', 'resnet-softmax', 'lenet5', 'alexnet']], None] = None,
    folds: int = 0,
    fold_seed: int = 0,
    hidden_units: int | Sequence[int] | None = None,
    activation: Optional[Literal['relu', 'leaky_relu', 'relu6', 'elu', 'selu', 'gelu', 'silu', 'mish', 'softplus', 'tanh', 'sigmoid']] = None,
    dropout: float | None = None,
    optimizer: Optional[Literal['adam', 'rmsprop', 'sgd']] = None,
    learning_rate: float | None = None,
    schedule: Optional[Literal['constant', 'cosine']] = None,
    epochs: int | None = None,
    patience: int | None = None,
    head_batch_size: int | None = None,
    l2: float | None = None,
    label_smoothing: float | None = None,
    batch_norm: bool | None = None,
    inverse_regularization: float | None = None,
    penalty: float | None = None,
    neighbors: int | None = None,
    metric: Optional[Literal['cosine', 'euclidean']] = None,
    class_weights: Optional[Literal['none', 'balanced']] = None,
    standardize: bool | None = None,
    open_test: bool = False,
    grid: Mapping[str, Sequence[Any]] | str | Sequence[str] = [],
    trials: int | None = None,
    search_seed: int = 0,
    guided: bool = False,
    cost: str | Sequence[str] = [],
) -> SweepSummary:
    """Train many heads on cached features, and choose one by validation, or by inner folds."""

def train(
    dataset: str | PathLike[str],
    *,
    store: str | PathLike[str] = 'feature-store',
    read_through: str | Sequence[str] | None = None,
    backbone: str | PathLike[str] = 'efficientnet_lite0',
    image_size: int | None = None,
    weights: str | PathLike[str] = 'imagenet',
    preset: Optional[Literal['clip', 'imagenet', 'inception', 'raw', 'siglip']] = None,
    tap: str | Sequence[str] = ['output'],
    pooling: Literal['avg', 'max', 'none', 'cls', 'mean-tokens', 'cls+mean'] = 'avg',
    dtype: Literal['float32', 'float16'] = 'float32',
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    decode: Literal['exact', 'fast'] = 'exact',
    precision: Literal['float32', 'bfloat16', 'int8'] = 'float32',
    seed: int | None = None,
    head: Union[Literal['centroid', 'dense', 'knn', 'logistic', 'ridge', 'svm', 'tutorial', 'cabral', 'resnet-softmax', 'lenet5', 'alexnet'], Sequence[Literal['centroid', 'dense', 'knn', 'logistic', 'ridge', 'svm', 'tutorial', 'cabral', 'resnet-softmax', 'lenet5', 'alexnet']], None] = None,
    folds: int = 0,
    fold_seed: int = 0,
    hidden_units: int | Sequence[int] | None = None,
    activation: Optional[Literal['relu', 'leaky_relu', 'relu6', 'elu', 'selu', 'gelu', 'silu', 'mish', 'softplus', 'tanh', 'sigmoid']] = None,
    dropout: float | None = None,
    optimizer: Optional[Literal['adam', 'rmsprop', 'sgd']] = None,
    learning_rate: float | None = None,
    schedule: Optional[Literal['constant', 'cosine']] = None,
    epochs: int | None = None,
    patience: int | None = None,
    head_batch_size: int | None = None,
    l2: float | None = None,
    label_smoothing: float | None = None,
    batch_norm: bool | None = None,
    inverse_regularization: float | None = None,
    penalty: float | None = None,
    neighbors: int | None = None,
    metric: Optional[Literal['cosine', 'euclidean']] = None,
    class_weights: Optional[Literal['none', 'balanced']] = None,
    standardize: bool | None = None,
    open_test: bool = False,
) -> TrainSummary:
    """Train heads on cached features, and choose the best on validation."""

class CentroidClassifier(HeadClassifier):
    """The class whose mean is nearest."""
    def __init__(
        self,
        *,
        standardize: bool = True,
    ) -> None: ...

class DenseClassifier(HeadClassifier):
    """Optional hidden layers, dropout and an output layer; a feature map is flattened."""
    def __init__(
        self,
        *,
        hidden_units: tuple[int, ...] = (),
        activation: Literal['relu', 'leaky_relu', 'relu6', 'elu', 'selu', 'gelu', 'silu', 'mish', 'softplus', 'tanh', 'sigmoid'] = 'relu',
        dropout: float = 0.2,
        optimizer: Literal['adam', 'rmsprop', 'sgd'] = 'adam',
        learning_rate: float = 0.001,
        batch_size: int = 32,
        epochs: int = 20,
        schedule: Literal['constant', 'cosine'] = 'constant',
        l2: float = 0.0,
        label_smoothing: float = 0.0,
        class_weights: Literal['none', 'balanced'] = 'none',
        batch_norm: bool = False,
        patience: Optional[int] = None,
        standardize: bool = False,
        validation_fraction: float = 0.1,
        seed: int = 0,
    ) -> None: ...

class KNNClassifier(HeadClassifier):
    """The fraction of each class or label among the nearest train images, which are the model."""
    def __init__(
        self,
        *,
        neighbors: int = 5,
        metric: Literal['cosine', 'euclidean'] = 'cosine',
        standardize: bool = False,
    ) -> None: ...

class LogisticClassifier(HeadClassifier):
    """Logistic regression with an L2 penalty; of several labels, each against the rest."""
    def __init__(
        self,
        *,
        inverse_regularization: float = 0.1,
        class_weights: Literal['none', 'balanced'] = 'none',
        standardize: bool = True,
    ) -> None: ...

class RidgeClassifier(HeadClassifier):
    """Least squares with an L2 penalty."""
    def __init__(
        self,
        *,
        penalty: float = 100.0,
        standardize: bool = True,
    ) -> None: ...

class SVMClassifier(HeadClassifier):
    """A linear support vector machine, one class or label against the rest."""
    def __init__(
        self,
        *,
        inverse_regularization: float = 0.01,
        class_weights: Literal['none', 'balanced'] = 'none',
        standardize: bool = True,
    ) -> None: ...

class DenseRegressor(HeadRegressor):
    """Optional hidden layers, dropout and an output layer; a feature map is flattened."""
    def __init__(
        self,
        *,
        hidden_units: tuple[int, ...] = (128,),
        activation: Literal['relu', 'leaky_relu', 'relu6', 'elu', 'selu', 'gelu', 'silu', 'mish', 'softplus', 'tanh', 'sigmoid'] = 'relu',
        dropout: float = 0.2,
        optimizer: Literal['adam', 'rmsprop', 'sgd'] = 'adam',
        learning_rate: float = 0.005,
        batch_size: int = 32,
        epochs: int = 30,
        schedule: Literal['constant', 'cosine'] = 'constant',
        l2: float = 0.0,
        batch_norm: bool = False,
        patience: Optional[int] = None,
        standardize: bool = True,
        validation_fraction: float = 0.1,
        seed: int = 0,
    ) -> None: ...

class KNNRegressor(HeadRegressor):
    """The fraction of each class or label among the nearest train images, which are the model."""
    def __init__(
        self,
        *,
        neighbors: int = 5,
        metric: Literal['cosine', 'euclidean'] = 'cosine',
        standardize: bool = False,
    ) -> None: ...

class RidgeRegressor(HeadRegressor):
    """Least squares with an L2 penalty."""
    def __init__(
        self,
        *,
        penalty: float = 100.0,
        standardize: bool = True,
    ) -> None: ...
