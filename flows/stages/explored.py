"""The images that are looked at, and the features by which: of the store, or of a run."""

from dataclasses import dataclass

from flows.extract import begin_stage, extract_stage, find_manifest
from flows.parameters.exploration import ExploreParameters
from flows.stages.compute import job_for
from stores.dataset_places import datasets
from stores.errors import NotInStore
from stores.manifest import Manifest
from stores.runs.store import RunStore
from stores.storage.location import StoreLike
from tasks.errors import InputError
from tasks.exploration.dataset_rows import DatasetRows
from tasks.inference.predict import Classifier, load_classifier


@dataclass(frozen=True)
class Explored:
    """A data set with its features, and the run whose features they are, if one was given."""

    rows: DatasetRows
    classifier: Classifier | None


def explore_stage(source: str, parameters: ExploreParameters) -> Explored:
    """Return the features of a folder, which is ingested first, or of a data set.

    By the flags of features, what is missing is computed and stored, as by `flows.extract`. By a
    run it is computed as it is needed, as by `flows.predict`.
    """
    size = parameters.batch_size
    if parameters.run is None:
        manifest, begun = begin_stage(source, parameters)
        manifest, _ = extract_stage(manifest, parameters, begun)
        return Explored(DatasetRows(manifest, job_for(parameters, manifest), size), None)
    classifier = run_classifier(parameters)
    manifest = find_manifest(source, parameters, needs_labels=False)
    return Explored(DatasetRows(manifest, classifier.job, size), classifier)


def run_classifier(parameters: ExploreParameters) -> Classifier:
    """Return the classifier of the run that was given."""
    return load_classifier(
        RunStore(parameters.store).read(parameters.run or ""),
        store=parameters.store,
        weights=parameters.moved_weights,
        engine=parameters.engine,
    )


def searched_source(parameters: ExploreParameters) -> str:
    """Return the data set to use where none is named: the run's, or the only one of the store."""
    if parameters.run:
        return RunStore(parameters.store).read(parameters.run).dataset
    if len(there := datasets(parameters.store)) == 1:
        return there[0]
    raise InputError(
        f"expected --in DATASET, or a folder of images; in the store: {', '.join(there) or 'none'}"
    )


def labelled_rows(explored: Explored, name: str | None, store: StoreLike) -> DatasetRows | None:
    """Return the data set whose images have labels: the named one, the run's, or the one itself.

    None where there is no label anywhere. Raises InputError for one without labels.
    """
    run = explored.classifier.run if explored.classifier else None
    rows = explored.rows
    if name is None and run is None:
        return rows if rows.manifest.classes else None
    try:
        manifest = Manifest.read(store, name or (run.dataset if run else ""))
    except NotInStore as error:
        raise InputError(f"--labelled {name or '(of the run)'}: {error}") from None
    if not manifest.classes:
        raise InputError(
            f"--labelled {manifest.name}: the data set has no labels; expected one with classes"
        )
    return DatasetRows(manifest, rows.job, rows.batch_size)
