"""The browser's server: addresses to pages, their JSON twins, forms, downloads and static files.

    /r/RUN/DICTIONARY/features?kind=alive          a page        (pages/, PAGES)
    /r/RUN/DICTIONARY/features.json?kind=alive     the same as rows
    /r/RUN/DICTIONARY/prompt/effects?text=...      a stream      (streams.py)
    POST .../feature/7/label                       an edit       (edits.py, EDITS)

Answers are made of a literal table of pages, of edits and of files; nothing in a request is a path.
"""

import errno
import json
import socket
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from monosema.core.errors import ConfigError, DamagedError, DataError, MismatchError, MonosemaError, RunError
from monosema.dashboard.downloads import DOWNLOADS
from monosema.dashboard.edits import EDITS
from monosema.dashboard.graph.page import graph_script
from monosema.dashboard.guard import Doors, Guard
from monosema.dashboard.library import Library
from monosema.dashboard.page import HERE
from monosema.dashboard.pages import features, graph, prompt
from monosema.dashboard.pages.asking import Asked, Page, address
from monosema.dashboard.pages.table import IN, PAGES
from monosema.dashboard.rendering import environment
from monosema.dashboard.streams import streamed
from monosema.evaluation.scorecard import plain

STATIC = {
    "theme.css": "text/css",
    "browser.css": "text/css",
    "prompt.css": "text/css",
    "graph.css": "text/css",
    "theme.js": "text/javascript",
    "browser.js": "text/javascript",
    "prompt.js": "text/javascript",
    "graph-page.js": "text/javascript",
    "opening.js": "text/javascript",
    "scatter.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
"""Every file that is served, from assets/ as it is; graph-page.js is put together of the graph's parts."""

STATUS = {ConfigError: 400, DataError: 404, MismatchError: 409, RunError: 409, DamagedError: 500}
"""How an error of ours is said in HTTP."""

Endpoint = Callable[[Request], Response] | Callable[[Request], Awaitable[Response]]


def application(library: Library, doors: Doors | None = None) -> Guard:
    """The ASGI application that shows `library` to whom `doors` lets in."""
    browser = _Browser(library)
    twins = [Route(_twin(page), partial(browser.twin, page)) for page in PAGES]
    pages = [Route(_typed(page.path), partial(browser.page, page)) for page in PAGES]
    edits = [
        Route(_typed(f"{IN}/{path}"), partial(browser.edit, edit), methods=["POST"]) for path, edit in EDITS.items()
    ]
    others = [
        Route(f"{IN}/scatter.json", browser.scatter),
        Route(f"{IN}/prompt/steer.json", browser.steer),
        Route(f"{IN}/prompt/effects", browser.effects),
        Route(f"{IN}/go", browser.go),
        Route(f"{IN}/export/{{name}}", browser.download),
        Route("/graph/neuronpedia.json", browser.document),
        Route("/graph/change", browser.change, methods=["POST"]),
        Route("/graph/open", browser.open_file, methods=["POST"]),
        Route("/static/{name}", browser.static),
    ]
    handlers: dict[Any, Any] = {MonosemaError: browser.failed, HTTPException: browser.failed}
    return Guard(Starlette(routes=[*twins, *pages, *edits, *others], exception_handlers=handlers), doors or Doors())


def listen(host: str, port: int) -> socket.socket:
    """A socket on `host` and `port` (0: any free one). Raises ConfigError in one line when it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named because asyncio sends small answers at once only on sockets that say they are TCP.
    taken = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind((host, port))
        taken.listen(128)  # whoever opens the address as soon as it is printed waits instead of being refused
    except OSError as error:
        taken.close()
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(
                f"port {port} is in use: give another with --port, or --port 0 for any free one"
            ) from error
        raise ConfigError(f"cannot listen on {host}, port {port}: {error.strerror or error}") from error
    return taken


def serve(library: Library, doors: Doors, taken: socket.socket) -> None:
    """Answer requests on the socket until interrupted."""
    import uvicorn

    config = uvicorn.Config(application(library, doors), log_level="warning", access_log=False, lifespan="off")
    uvicorn.Server(config).run(sockets=[taken])


class _Browser:
    def __init__(self, library: Library) -> None:
        self.library = library
        self.templates = environment()
        self.files = {name: _asset(name) for name in STATIC}

    def asked(self, request: Request, given: dict[str, str] | None = None) -> Asked:
        named = request.path_params
        place = self.library.place(named["run"], named["dictionary"]) if "run" in named else None
        return Asked(self.library, _pairs(request.url.query) if given is None else given, place, named.get("number", 0))

    def page(self, page: Page, request: Request) -> Response:
        asked = self.asked(request)
        try:
            found = page.rows(asked)
        except MonosemaError as error:
            if page.failed is None:
                raise
            return self.html(page.key, asked, page.title, page.failed(error, asked), _status(error))
        return self.html(page.key, asked, page.title, page.view(found, asked))

    def twin(self, page: Page, request: Request) -> Response:
        return _json(plain(page.rows(self.asked(request))))

    def scatter(self, request: Request) -> Response:
        return _json(plain(features.scatter(self.asked(request))))

    def steer(self, request: Request) -> Response:
        return _json(plain(prompt.steered_rows(self.asked(request))))

    def effects(self, request: Request) -> Response:
        try:
            return streamed(prompt.effects(self.asked(request)))
        except MonosemaError as error:
            return _json({"error": str(error)}, _status(error))

    def document(self, request: Request) -> Response:
        text = graph.document(self.asked(request))
        return Response(text, media_type="application/json", headers={"cache-control": "no-store"})

    async def change(self, request: Request) -> Response:
        given = _pairs((await request.body()).decode("utf-8", errors="strict"))
        return await _told(lambda: plain(graph.change(self.asked(request, given))))

    async def open_file(self, request: Request) -> Response:
        body = await request.body()
        return await _told(lambda: {"address": graph.opened(self.asked(request), _text(body))})

    def go(self, request: Request) -> Response:
        asked = self.asked(request)
        asked.only("to")
        return RedirectResponse(address(asked.place, f"feature/{asked.whole('to') or 0}"), 303)

    def download(self, request: Request) -> Response:
        name, asked = request.path_params["name"], self.asked(request)
        if name not in DOWNLOADS:
            raise HTTPException(404)
        kind, make = DOWNLOADS[name]
        headers = {"content-disposition": f'attachment; filename="{name}"', "cache-control": "no-store"}
        return Response(make(asked), media_type=kind, headers=headers)

    async def edit(self, edit: Callable[[Asked], str], request: Request) -> Response:
        body = (await request.body()).decode("utf-8", errors="strict")
        given = _pairs(body)
        return RedirectResponse(await run_in_threadpool(lambda: edit(self.asked(request, given))), 303)

    def static(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in STATIC:
            raise HTTPException(404)
        return Response(self.files[name], media_type=STATIC[name], headers={"cache-control": "no-cache"})

    def failed(self, request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else _status(error)
        says = "There is no such page." if isinstance(error, HTTPException) else str(error)
        if request.url.path.endswith(".json"):
            return _json({"error": says}, status)
        return self.html(
            "error", Asked(self.library, {}), "Not found" if status == 404 else "Not possible", {"says": says}, status
        )

    def html(self, key: str, asked: Asked, title: str, shown: Any, status: int = 200) -> Response:
        text = self.templates.get_template(f"browser/{key}.html").render(
            {
                **shown,
                "title": title,
                "key": key,
                "place": asked.chosen,
                "nav": self.nav(key, asked),
                "library": self.library,
            }
        )
        headers = {"cache-control": "no-store"}
        return Response(text.encode("utf-8", errors="backslashreplace"), status, headers, "text/html")

    def nav(self, key: str, asked: Asked) -> list[tuple[str, str, bool]]:
        """Word, address and whether it is where we are; pages of a dictionary need one to be chosen."""
        links = []
        for page in PAGES:
            if page.nav and (asked.chosen is not None or "{run}" not in page.path):
                rest = page.path.removeprefix(f"{IN}/") if "{run}" in page.path else page.path.lstrip("/")
                here = (
                    key == page.key
                    or (page.key == "features" and key == "feature")
                    or (page.key == "documents" and key == "document")
                )
                given = {"left": asked.chosen.key} if page.key == "compare" and asked.chosen else {}
                links.append((page.nav, address(asked.chosen if "{run}" in page.path else None, rest, **given), here))
        return links


async def _told(answer: Callable[[], Any]) -> Response:
    """The answer as JSON, worked out beside other requests; an error of ours says so in it."""
    try:
        return _json(await run_in_threadpool(answer))
    except MonosemaError as error:
        return _json({"error": str(error)}, _status(error))


def _text(body: bytes) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DamagedError(f"the file is not UTF-8 text ({error}): give the JSON of a graph") from error


def _asset(name: str) -> bytes:
    return graph_script().encode() if name == "graph-page.js" else (HERE / "assets" / name).read_bytes()


def _pairs(text: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=100, errors="strict")
    except ValueError as error:
        raise ConfigError(f"the address's query does not read: {error}") from error
    given = dict(pairs)
    if len(given) != len(pairs):
        raise ConfigError("a key stands twice in the address")
    return given


def _typed(path: str) -> str:
    return path.replace("{number}", "{number:int}")


def _twin(page: Page) -> str:
    return "/dictionaries.json" if page.path == "/" else f"{_typed(page.path)}.json"


def _status(error: Exception) -> int:
    return next((status for kind, status in STATUS.items() if isinstance(error, kind)), 500)


def _json(value: Any, status: int = 200) -> Response:
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return Response(text, status, {"cache-control": "no-store"}, "application/json")
