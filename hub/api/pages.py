"""Pages: /chat, /agent, and what they are made of: our own files, and those that connectors bring at /<channel>/."""

import dataclasses
import hashlib
import inspect
import mimetypes
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect

from hub.api.problems import problem
from hub.contract import Connector

CHAT_PAGE = "chat.html"
STATIC = Path(__file__).with_name("static")
OWN = ("client", "agent")
"""Our own folders there: the client of our protocol, which all pages share, and the page of agents."""
_TEXTS = frozenset({".html", ".css", ".js", ".mjs", ".json", ".svg", ".txt"})
_TYPES = {".js": "text/javascript", ".mjs": "text/javascript"}
"""What a machine's own table may have otherwise, and then no browser runs the module."""
_HEADERS = {
    "cache-control": "no-cache",  # names carry no version: asked every time, answered 304 while nothing has changed
    "x-content-type-options": "nosniff",
    "referrer-policy": "strict-origin-when-cross-origin",
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; "
    "font-src 'self'; connect-src 'self' ws: wss:; manifest-src 'self'; base-uri 'none'; form-action 'none'"
)
"""`ws: wss:` because Safari before 15.4 does not count a socket to the page's own host as 'self'."""


@dataclasses.dataclass(frozen=True)
class StaticFile:
    """A file, read at the start: nothing that a request says reaches the file system."""

    body: bytes
    content_type: str
    etag: str


class StaticFiles:
    """Our own files and those of all connectors, by the path that they are served at."""

    def __init__(self, connectors: Mapping[str, Connector]) -> None:
        self._files: dict[str, StaticFile] = {}
        self.chat: StaticFile | None = None
        """The page of the first channel that visitors write on from a browser."""
        for folder in OWN:
            self._read(folder, STATIC / folder)
        self.agent = self._files["/agent/agent.html"]
        for channel, connector in connectors.items():
            if connector.static:
                self._read(channel, Path(inspect.getfile(type(connector))).parent / connector.static)
            if connector.can.socket and connector.can.role == "visitor" and self.chat is None:
                self.chat = self._files.get(f"/{channel}/{CHAT_PAGE}")

    def get(self, path: str) -> StaticFile | None:
        """The file served at `path`, or None."""
        return self._files.get(path)

    def _read(self, channel: str, folder: Path) -> None:
        for file in sorted(folder.rglob("*")):
            name = file.relative_to(folder)
            if file.is_file() and not any(part.startswith((".", "_")) for part in name.parts):
                body = file.read_bytes()
                etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
                self._files[f"/{channel}/{name.as_posix()}"] = StaticFile(body, _content_type(file), etag)


@get("/", include_in_schema=False)
async def root(files: NamedDependency[StaticFiles]) -> Redirect:
    """There is no page of the hub's own: whoever comes here wants to chat."""
    if files.chat is None:
        raise problem(404, "No channel with a chat page is on; config/hub.yaml names the channels.", "not_found")
    return Redirect("/chat", status_code=302)


@get("/chat", include_in_schema=False)
async def chat(request: Request[Any, Any, Any], files: NamedDependency[StaticFiles]) -> Response[bytes]:
    """The stand-alone page. It may stand in a frame: sites without our script embed it so."""
    return _serve(request, files.chat)


@get("/agent", include_in_schema=False)
async def agent(request: Request[Any, Any, Any], files: NamedDependency[StaticFiles]) -> Response[bytes]:
    """The page of agents. It stands in no frame: what is tapped there acts in somebody's name."""
    return _serve(request, files.agent, f"{_POLICY}; frame-ancestors 'none'")


@get("/{channel:str}/{file:path}", include_in_schema=False)
async def static_file(
    request: Request[Any, Any, Any], channel: FromPath[str], file: FromPath[str], files: NamedDependency[StaticFiles]
) -> Response[bytes]:
    """A file of ours or of a connector."""
    return _serve(request, files.get(f"/{channel}{file}"))


def _serve(request: Request[Any, Any, Any], file: StaticFile | None, policy: str = _POLICY) -> Response[bytes]:
    if file is None:
        raise problem(404, "There is no such page.", "not_found")
    headers = _HEADERS | {"etag": file.etag, "content-type": file.content_type}
    if file.content_type.startswith("text/html"):
        headers["content-security-policy"] = policy
    if file.etag in request.headers.get("if-none-match", ""):
        return Response(b"", status_code=304, headers=headers)
    return Response(file.body, headers=headers)


def _content_type(file: Path) -> str:
    kind = _TYPES.get(file.suffix) or mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    return f"{kind}; charset=utf-8" if file.suffix in _TEXTS else kind
