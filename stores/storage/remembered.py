"""Digests that are dear to compute, remembered by the question they answer.

Each is one small JSON file in `STORE/remembered/`; all of them can be deleted at any time.
"""

import hashlib
import json
import logging
from pathlib import Path
from typing import Any

from stores.errors import StoreError
from stores.storage.json_files import ABSURD, read_object
from stores.storage.publish import publish_file

log = logging.getLogger("gargalo.store")

Question = dict[str, str]


def recall(root: Path, question: Question) -> str | None:
    """Return the remembered answer to a question, or None where there is none that is whole."""
    try:
        stored = read_object(_path(root, question))
        answer = stored["answer"]
        return str(answer) if stored == _stamped(question, answer) else None
    except (OSError, *ABSURD):
        return None


def remember(root: Path, question: Question, answer: str) -> None:
    """Remember an answer, if the store can be written to."""
    path = _path(root, question)
    content = json.dumps(_stamped(question, answer), indent=2)
    try:
        publish_file(content.encode(), path, tmp=path.parent / "tmp")
    except StoreError as error:
        log.debug("an answer is not remembered: %s", error)


def _stamped(question: Question, answer: str) -> dict[str, Any]:
    return {"question": question, "answer": answer, "sha256": _digest([question, answer])}


def _path(root: Path, question: Question) -> Path:
    return Path(root) / "remembered" / f"{_digest(question)[:16]}.json"


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
