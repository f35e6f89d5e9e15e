"""How far a long computation is, as a bar in a notebook's output; no widgets are needed."""

import sys
from html import escape

from flows.cli.progress import Advance, Paced

SECONDS_BETWEEN = 0.2


def in_notebook() -> bool:
    """Tell whether this process is the kernel of a notebook."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return hasattr(shell, "kernel")


def notebook_bar(total: int, doing: str, noun: str) -> Advance:
    """Show a bar with the rate since it began; return what updates it."""
    from IPython.display import HTML, display

    def bar() -> HTML:
        about = f", {paced.rate:,.1f} {noun}/s" if paced.done else ""
        return HTML(
            f"<div>{escape(doing)} <progress value='{paced.done}' max='{total}'></progress> "
            f"{paced.done} of {total} {escape(noun)}{escape(about)}</div>"
        )

    paced = Paced(total, SECONDS_BETWEEN, lambda: handle.update(bar()))
    if not total:
        return lambda _: None
    handle = display(bar(), display_id=True)
    return paced.advance
