"""What the command line prints of a backbone's file."""

from flows.summaries.backbones import DescribeSummary


def backbone_text(summary: DescribeSummary) -> str:
    """Return the draft of its description, to be written beside it."""
    return summary.toml
