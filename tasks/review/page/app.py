"""The requests of the page and their answers."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from stores.errors import StoreError
from stores.printable import visible
from tasks.errors import InputError, what_is_wrong
from tasks.review.columns import Choice
from tasks.review.decide import Asked, Question
from tasks.review.export import corrections_csv
from tasks.review.features import METHODS, MOST_BY_TSNE
from tasks.review.pictures import LARGE, SIDE, Pictures
from tasks.review.query import Query
from tasks.review.session import Kept, Session

STATIC = Path(__file__).with_name("static")
MAP_FILE = "plotly.min.js"
NO_MAP = "the map needs the package plotly: pip install 'gargalo[review]'"
_FILES = ("review.js", "grid.js", "map.js", "review.css")
_KINDS = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}
_MOST_TILES = 2000
_WORKING = {"working": True}
Body = TypeVar("Body", bound=BaseModel)
Numbers = Annotated[list[int], Field(max_length=10_000_000)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Query(_Body):
    chosen: dict[str, list[str]] = {}
    text: str = ""
    sort: str = "path"
    descending: bool = False


class _Decide(_Body):
    action: Asked
    images: Numbers
    value: str = ""
    reviewer: str
    confirmed: bool = False


class _Images(_Body):
    images: Annotated[list[int], Field(max_length=_MOST_TILES)]


class _Image(_Body):
    image: int


class _Map(_Body):
    method: str


class _Reviewer(_Body):
    reviewer: str


class _Seen(_Body):
    seen: int


class _Nothing(_Body):
    pass


class Page:
    """What the page asks of a review; `end` is called when somebody closes it on the page."""

    def __init__(self, session: Session, *, end: Callable[[], None]) -> None:
        self._session, self._end = session, end
        self._pictures = Pictures(session.images)

    def app(self) -> Starlette:
        """Return the application."""
        return Starlette(
            routes=[
                Route("/", _file("review.html")),
                *(Route(f"/{name}", _file(name)) for name in _FILES),
                Route(f"/{MAP_FILE}", _plotly),
                Route("/picture/{n:int}", partial(self._picture, SIDE)),
                Route("/large/{n:int}", partial(self._picture, LARGE)),
                Route("/corrections.csv", self._export),
                _answering("about", _Nothing, lambda _: about_session(self._session)),
                _answering("find", _Query, self._find),
                _answering("tiles", _Images, lambda asked: self._tiles(asked.images)),
                _answering("decide", _Decide, self._decide),
                _answering("undo", _Reviewer, lambda asked: asdict(self._undo(asked))),
                _answering("news", _Seen, lambda asked: asdict(self._session.news(asked.seen))),
                _answering("near", _Nothing, self._near),
                _answering("novelty", _Nothing, self._novelty),
                _answering("map", _Map, self._map),
                _answering("similar", _Image, lambda asked: self._similar(asked.image)),
                _answering("close", _Nothing, self._close),
            ]
        )

    def _find(self, asked: _Query) -> dict[str, Any]:
        chosen = {name: tuple(values) for name, values in asked.chosen.items()}
        query = Query(chosen, asked.text, asked.sort, asked.descending)
        found = self._session.found(query)
        counts = found.confusion.counts.tolist() if found.confusion else None
        return {"order": found.order.tolist(), "confusion": counts}

    def _tiles(self, numbers: list[int]) -> dict[str, Any]:
        return {"tiles": self._session.tiles(numbers)}

    def _decide(self, asked: _Decide) -> dict[str, Any]:
        found = self._session.decide(
            asked.action,
            asked.images,
            asked.value,
            reviewer=asked.reviewer,
            confirmed=asked.confirmed,
        )
        return {"question": found.text} if isinstance(found, Question) else asdict(found)

    def _undo(self, asked: _Reviewer) -> Kept:
        return self._session.undo(asked.reviewer)

    def _near(self, _: _Nothing) -> dict[str, Any]:
        untold = self._session.near_duplicates()
        return _WORKING if untold is None else {"untold": untold} | about_session(self._session)

    def _novelty(self, _: _Nothing) -> dict[str, Any]:
        return about_session(self._session) if self._session.novelty() else _WORKING

    def _map(self, asked: _Map) -> dict[str, Any]:
        found = self._session.points(asked.method)
        if found is None:
            return _WORKING
        x, y = found.round(4).T.tolist()
        return {"x": x, "y": y, "labels": self._session.facts.labels.codes.tolist()}

    def _similar(self, n: int) -> dict[str, Any]:
        found = self._session.similar(n)
        if found is None:
            return _WORKING
        return {"order": found.tolist()}

    def _close(self, _: _Nothing) -> dict[str, Any]:
        self._end()
        return {}

    def _picture(self, side: int, request: Request) -> Response:
        n = request.path_params["n"]
        if not 0 <= n < len(self._session.images):
            return Response(status_code=404)
        kind, content = self._pictures.of(n, side)
        return Response(content, media_type=kind, headers={"cache-control": "private, max-age=600"})

    def _export(self, _: Request) -> Response:
        content = corrections_csv(self._session.images, self._session.facts.decided)
        name = "attachment; filename=corrections.csv"
        return Response(content, media_type="text/csv", headers={"content-disposition": name})


def about_session(session: Session) -> dict[str, Any]:
    """Return what the page shows beside the images."""
    return {
        "dataset": visible(session.images.manifest.name),
        "images": len(session.images),
        "classes": _shown(session.facts.labels.names),
        "runs": [f"{run.head.get('kind')} {run.id[:8]}" for run in session.runs],
        "columns": [
            {
                "name": c.name,
                "title": c.title,
                "values": _shown(c.values) if isinstance(c, Choice) else None,
            }
            for c in session.columns.values()
        ],
        "entries": session.entries,
        "methods": METHODS if len(session.images) <= MOST_BY_TSNE else METHODS[:1],
        "map": "" if _plotly_file() else NO_MAP,
    }


def _shown(names: Sequence[str]) -> list[dict[str, str]]:
    """Return names, and how they are safe to show."""
    return [{"name": name, "shown": visible(name)} for name in names]


def _answering(name: str, kind: type[Body], answer: Callable[[Body], dict[str, Any]]) -> Route:
    """Return the route of a request in JSON; the user's mistakes are one line."""

    async def answered(request: Request) -> Response:
        try:
            body = kind.model_validate_json(await request.body())
            return JSONResponse(await run_in_threadpool(answer, body))
        except ValidationError as error:
            return JSONResponse({"error": what_is_wrong(dict(error.errors()[0]))}, 422)
        except (InputError, StoreError, OSError) as error:
            return JSONResponse({"error": visible(str(error))}, 409)

    return Route(f"/{name}", answered, methods=["POST"])


def _file(name: str) -> Callable[[Request], Response]:
    def answer(_: Request) -> Response:
        path = STATIC / name
        return FileResponse(path, media_type=_KINDS[path.suffix])

    return answer


def _plotly(_: Request) -> Response:
    path = _plotly_file()
    return FileResponse(path, media_type="text/javascript") if path else Response(status_code=404)


def _plotly_file() -> Path | None:
    """Return plotly's JavaScript, which its Python package has; nothing of it is imported."""
    spec = find_spec("plotly")
    found = spec and spec.origin and Path(spec.origin).parent / "package_data" / MAP_FILE
    return found if found and found.is_file() else None
