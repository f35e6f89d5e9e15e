"""Digests that are dear to compute, remembered by the question they answer.

Each is one small JSON file in `STORE/remembered/`; all of them can be deleted at any time.
"""

import hashlib
import json
import logging
from pathlib import Path

from stores.errors import StoreFull, StoreReadOnly
from stores.publish import publish_file

log = logging.getLogger("gargalo.store")

Question = dict[str, str]


def recall(root: Path, question: Question) -> str | None:
    """Return the remembered answer to a question, or None."""
    try:
        stored = json.loads(_path(root, question).read_text())
        return str(stored["answer"]) if stored["question"] == question else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remember(root: Path, question: Question, answer: str) -> None:
    """Remember an answer, if the store can be written to."""
    path = _path(root, question)
    content = json.dumps({"question": question, "answer": answer}, indent=2)
    try:
        publish_file(content.encode(), path, tmp=path.parent / "tmp")
    except (StoreReadOnly, StoreFull) as error:
        log.debug("an answer is not remembered: %s", error)


def _path(root: Path, question: Question) -> Path:
    canonical = json.dumps(question, sort_keys=True)
    name = hashlib.sha256(canonical.encode()).hexdigest()[:16]
    return Path(root) / "remembered" / f"{name}.json"
