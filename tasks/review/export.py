"""Decisions as a table of corrections, which `--corrections` reads."""

import csv
import io

from stores.decisions.decided import EXCLUDED, Decided
from stores.printable import cell, path_cell
from tasks.datasets.corrections import EXCLUDE
from tasks.review.images import Reviewed


def corrections_csv(images: Reviewed, decided: Decided) -> bytes:
    """Return path, label and exclude of each image whose label was decided, by path.

    A label that was marked as right is there too: it says that somebody looked.
    """
    found = []
    for key, label in decided.labels.items():
        if label is not None and (n := images.place.get(key)) is not None:
            out = label == EXCLUDED
            shown = images.rows["label"][n].as_py() if out else label
            found.append((path_cell(images.rows["path"][n].as_py()), cell(shown), out))
    sink = io.StringIO()
    table = csv.writer(sink, lineterminator="\n")
    table.writerow(["path", "label", EXCLUDE])
    table.writerows((path, label, "true" if out else "false") for path, label, out in sorted(found))
    return sink.getvalue().encode()
