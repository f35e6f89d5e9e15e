"""Backbones from files: `python -m flows.backbone describe FILE`.

Command 7: Draft the description of a file for --backbone.

Example:
    >>> gargalo.backbone("describe", "dinov2.onnx", preset="imagenet").toml
"""

from typing import Literal

from flows.cli.command_line import command_line
from flows.orchestration.served_flow import flow
from flows.parameters.backbones import BackboneParameters
from flows.summaries.backbones import DescribeSummary
from flows.text.backbones import backbone_text
from tasks.backbones.files.draft import drafted

Action = Literal["describe"]


@flow(name="backbone")
def backbone(
    action: Action,  # noqa: ARG001  there is one
    file: str,
    *,
    parameters: BackboneParameters = BackboneParameters(),
) -> DescribeSummary:
    """Look at a file as a backbone: an ONNX file, OpenVINO's own format, or a Keras model.

    Args:
        action: describe: print a draft of FILE.toml, which says how images are prepared, with the
            likely taps; nothing is written.
        file: The file (.onnx, .xml, .keras).
        parameters: What the draft has.
    """
    return DescribeSummary.of(drafted(file, parameters.preset))


if __name__ == "__main__":
    command_line(backbone, backbone_text, needs_server=False)
