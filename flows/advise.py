"""Advice: `python -m flows.advise FOLDER-OR-DATASET`.

Command 7: Recommend a layer and a method for a data set.

Example:
    >>> advice = gargalo.advise("photos")
    >>> advice.method
"""

from flows.artifacts import run_name, show_text
from flows.cli.command_line import command_line
from flows.cli.progress import announce
from flows.cli.work import advise_work
from flows.extract import extract_stage, find_manifest
from flows.orchestration.served_flow import flow
from flows.parameters.features import AdviseParameters, ExtractParameters
from flows.stages.compute import job_for
from flows.summaries.advice import AdviseSummary
from flows.text.advice import advise_text
from stores.manifest import Manifest
from tasks.advice.evidence import (
    Evidence,
    check_measurable,
    check_pretrained,
    learned_counts,
    measure_task,
)
from tasks.advice.recommendation import Situation, recommend
from tasks.advice.stage_taps import taps_to_compare_task
from tasks.advice.verdict import verdict_of
from tasks.backbones.files.named_files import is_trainable
from tasks.datasets.subset import drawn_part
from tasks.execution.steps import quote
from tasks.training.repeat_commands import options


# As of flows.extract: while one shard is written, the next is computed.
@flow(name="advise", flow_run_name=run_name, threads=2)
def advise(source: str, *, parameters: AdviseParameters = AdviseParameters()) -> AdviseSummary:
    """Measure whether images are like ImageNet's, and advise a method of transfer learning.

    Args:
        source: Folder of images, which is ingested first, or the name of a data set.
        parameters: Which features it is measured on, and where they are kept.
    """
    parameters.read_through_layers()
    check_pretrained(parameters.weights)
    manifest = find_manifest(source, parameters)
    check_measurable(manifest)
    taps = taps_to_compare_task(
        parameters.tap, parameters.backbone, parameters.image_size, store=parameters.store
    )
    requested = parameters.at(*taps)
    part, extracted = extract_stage(drawn_part(manifest), requested)
    evidence = _measured(part, requested)
    verdict = verdict_of(evidence)
    situation = _situation(manifest, evidence, parameters)
    summary = AdviseSummary(
        dataset=manifest.name,
        likeness=verdict.likeness,
        certainty=verdict.certainty,
        large=situation.large,
        smallest_class=situation.smallest_class,
        findings=verdict.findings,
        evidence=evidence,
        method=recommend(verdict, situation),
        extract=extracted,
    )
    show_text(f"advise on {manifest.name}", advise_text(summary))
    return summary


def _measured(part: Manifest, parameters: ExtractParameters) -> Evidence:
    """Measure the evidence on features that are stored."""
    job = job_for(parameters, part)
    announce(len(job.recipes), doing="measuring", noun="layers")
    return measure_task(quote(part), quote(job.recipes), quote(job.weights), store=parameters.store)


def _situation(manifest: Manifest, evidence: Evidence, parameters: AdviseParameters) -> Situation:
    counts = learned_counts(manifest)
    return Situation(
        dataset=manifest.name,
        smallest_class=min(counts.values()),
        earlier=evidence.best_earlier.tap,
        last_stage=evidence.layers[-2].tap,
        flags=lambda *taps: parameters.at(*taps).flags,
        tunable=is_trainable(parameters.backbone),
        store=" ".join(options(parameters.unusual(include={"store"}))),
    )


if __name__ == "__main__":
    command_line(advise, advise_text, work=advise_work)
