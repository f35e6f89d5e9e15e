"""Digests that are dear to compute, remembered by the question they answer.

Each is one small JSON file in `STORE/remembered/`; all of them can be deleted at any time.
"""

import hashlib
import json
import logging
from typing import Any

from stores.errors import StoreError
from stores.storage.json_files import ABSURD, read_object
from stores.storage.location import Location

log = logging.getLogger("gargalo.store")

Question = dict[str, str]


def recall(root: Location, question: Question) -> str | None:
    """Return the remembered answer to a question, or None where there is none that is whole."""
    try:
        stored = read_object(_place(root, question).path)
        answer = stored["answer"]
        return str(answer) if stored == _stamped(question, answer) else None
    except (OSError, *ABSURD):
        return None


def remember(root: Location, question: Question, answer: str) -> None:
    """Remember an answer, if the store can be written to."""
    place = _place(root, question)
    content = json.dumps(_stamped(question, answer), indent=2)
    try:
        place.publish(content.encode(), tmp=place.parent / "tmp")
    except StoreError as error:
        log.debug("an answer is not remembered: %s", error)


def _stamped(question: Question, answer: str) -> dict[str, Any]:
    return {"question": question, "answer": answer, "sha256": _digest([question, answer])}


def _place(root: Location, question: Question) -> Location:
    return root / "remembered" / f"{_digest(question)[:16]}.json"


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
