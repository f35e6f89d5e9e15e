"""Review: `python -m flows.review RUN-OR-DATASET`.

Command 9: Look at images on a local page, and mend their labels.

Example:
    >>> gargalo.review("photos", port=8080).decisions
"""

import webbrowser

from flows.cli.command_line import command_line
from flows.orchestration.served_flow import flow
from flows.parameters.review import ReviewParameters
from flows.summaries.review import ReviewSummary
from flows.text.review import address_text, review_text
from stores.decisions.decided import decided
from tasks.maintenance.maintain import check_exists
from tasks.review.choice import session_of


@flow(name="review")
def review(name: str, *, parameters: ReviewParameters = ReviewParameters()) -> ReviewSummary:
    """Show the images of a data set on a page of this machine, on which people mend their labels.

    What is decided is kept at once, and is in the data set from the next ingest or pipeline on.

    Args:
        name: Name of a data set in the store; or the id of a run, or the beginning of it.
        parameters: Whose predictions are shown beside the labels, and where the page is.
    """
    # With Starlette and uvicorn, which no other flow needs.
    from tasks.review.page.server import serve

    store = check_exists(parameters.store)
    session = session_of(name, parameters.run or (), store=store)
    before = len(session.journal.entries)

    def ready(address: str) -> None:
        print(address_text(session.images.manifest.name, address), flush=True)  # noqa: T201  needed
        if not parameters.no_browser:
            webbrowser.open(address)

    serve(session, port=parameters.port, ready=ready)
    session.journal.refresh()
    entries, now = session.journal.entries, decided(session.journal.entries)
    manifest = session.images.manifest
    holding = {key: label for key, label in now.labels.items() if label is not None}
    return ReviewSummary(
        dataset=manifest.name,
        folder=manifest.folder,
        store=store.show(),
        runs=tuple(run.id for run in session.runs),
        images=len(session.images),
        decisions=len(entries) - before,
        relabelled=sum(bool(label) and key not in now.right for key, label in holding.items()),
        excluded=sum(not label for label in holding.values()),
        right=len(now.right),
        new_classes=tuple(sorted(now.new_labels - set(manifest.classes))),
    )


if __name__ == "__main__":
    command_line(review, review_text, needs_server=False)
