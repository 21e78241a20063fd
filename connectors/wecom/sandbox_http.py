"""The stand-in over HTTP: WeCom's calls, the phones for pages and robots, and a console for what can go wrong."""

import html
import mimetypes
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import msgspec
from litestar import Litestar, MediaType, Request, Response, get, post
from litestar.datastructures import UploadFile
from litestar.exceptions import ClientException, NotFoundException
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from connectors.wecom.callbacks import KINDS, Callback, CheckFailed
from connectors.wecom.codec import MENU
from connectors.wecom.far_side import Bubble, NoMember, Send
from connectors.wecom.far_side_media import LIMITS, Media, kind_of
from hub.kit.stand_in import LONGEST_WAIT_S, page, switchboard

if TYPE_CHECKING:
    from connectors.wecom.sandbox import WeComSandbox

MOST_BODY_BYTES = 32 << 20
"""Of an upload: more than WeCom takes, so that it is the stand-in that refuses."""
_PAGES = Path(__file__).parent / "phone"


class Unavailable(Exception):
    """Answered with HTTP 502, as a proxy in front of WeCom would."""


class Typing(msgspec.Struct):
    """What a robot lets a member do. `kind`: text, or one of KINDS. `wait`: answer when the hub has been told."""

    text: str = ""
    kind: str = "text"
    wait: bool = False


class Tap(msgspec.Struct):
    """A menu item, by its key."""

    key: str


class Address(msgspec.Struct):
    """The callback URL, as somebody would type it into the console."""

    url: str


class Chat(msgspec.Struct):
    """A stretch of a phone's chat; `last` is the `after` to ask for next.

    `dropped` counts the app's texts that WeCom did not show, `untold` the callbacks that the hub never took.
    """

    app: str
    name: str
    bubbles: list[Bubble]
    last: int
    dropped: int
    untold: int


class Typed(msgspec.Struct):
    """`taken`: whether the hub took the callback; None when nobody waited for it."""

    msgid: str
    n: int
    taken: bool | None = None


class Ledger(msgspec.Struct):
    """All that WeCom knows: what the tests compare the hub with."""

    calls: dict[str, int]
    sends: list[Send]
    phones: dict[str, list[Bubble]]
    dropped: dict[str, int]
    callbacks: list[Callback]


def build_app(wecom: "WeComSandbox") -> Litestar:
    """The ASGI application of one stand-in."""
    routes = [*_wecom(wecom), *_phones(wecom), *_console(wecom), *_pages(wecom)]
    return Litestar(
        routes,
        exception_handlers={Unavailable: _unavailable, NoMember: _no_member},
        openapi_config=None,
        logging_config=None,  # Litestar's own would log for the whole process
    )


def _unavailable(_: Request[Any, Any, Any], error: Unavailable) -> Response[str]:
    return Response("Bad Gateway", status_code=502, media_type=MediaType.TEXT)


def _no_member(_: Request[Any, Any, Any], error: NoMember) -> Response[dict[str, str]]:
    return Response({"detail": str(error)}, status_code=404)


def _wecom(wecom: "WeComSandbox") -> list[Any]:
    """What the real WeCom has too."""

    @get("/cgi-bin/gettoken")
    async def get_token(corpid: FromQuery[str] = "", corpsecret: FromQuery[str] = "") -> dict[str, object]:
        return await wecom.get_token(corpid, corpsecret)

    @post("/cgi-bin/message/send", status_code=200)
    async def send(request: Request[Any, Any, Any], access_token: FromQuery[str] = "") -> dict[str, object]:
        return await wecom.send(access_token, await request.body())

    @post("/cgi-bin/media/upload", status_code=200, request_max_body_size=MOST_BODY_BYTES)
    async def upload(
        request: Request[Any, Any, Any],
        access_token: FromQuery[str] = "",
        kind: Annotated[str, QueryParameter(name="type")] = "",
    ) -> dict[str, object]:
        file = (await request.form()).get("media")
        if not isinstance(file, UploadFile):
            return await wecom.upload(access_token, kind, "", None)
        return await wecom.upload(access_token, kind, file.filename, await file.read())

    @get("/cgi-bin/media/get")
    async def download(access_token: FromQuery[str] = "", media_id: FromQuery[str] = "") -> Response[Any]:
        found = await wecom.download(access_token, media_id)
        if not isinstance(found, Media):
            return Response(found)
        type_ = mimetypes.guess_type(found.name)[0] or found.type
        return Response(found.content, media_type=type_, headers=_disposition("attachment", found.name))

    return [get_token, send, upload, download]


def _phones(wecom: "WeComSandbox") -> list[Any]:
    """What a phone's page and the robots use."""

    @get("/phone/{user:str}/chat")
    async def chat(user: FromPath[str], after: FromQuery[int] = 0, wait: FromQuery[float] = LONGEST_WAIT_S) -> Chat:
        return await wecom.chat(user, after, wait, only_app=False)

    @get("/phone/{user:str}/texts")
    async def texts(user: FromPath[str], after: FromQuery[int] = 0, wait: FromQuery[float] = LONGEST_WAIT_S) -> Chat:
        return await wecom.chat(user, after, wait, only_app=True)

    @post("/phone/{user:str}/type")
    async def type_text(user: FromPath[str], data: JSONBody[Typing]) -> Typed:
        if data.kind not in ("text", *KINDS) or (data.kind == "text" and not data.text.strip()):
            raise ClientException(f"a text, or one of {', '.join(KINDS)}")
        typed, told = wecom.say(user, data.kind, data.text)
        if data.wait:
            typed.taken = await told
        return typed

    @post("/phone/{user:str}/files", request_max_body_size=MOST_BODY_BYTES)
    async def send_file(
        request: Request[Any, Any, Any],
        user: FromPath[str],
        name: FromQuery[str] = "",
        kind: FromQuery[str] = "",
        wait: FromQuery[bool] = False,
    ) -> Typed:
        """The body is the content; without a `kind` it is sent as what it looks like."""
        content = await request.body()
        if not content or kind not in ("", *LIMITS):
            raise ClientException(f"the bytes of a file, and its kind: {', '.join(LIMITS)}")
        typed, told = wecom.say(user, kind or kind_of(content), content=content, name=name)
        if wait:
            typed.taken = await told
        return typed

    @get("/phone/{user:str}/files/{n:int}")
    async def file(user: FromPath[str], n: FromPath[int]) -> Response[bytes]:
        found = wecom.phone(user).files.get(n)
        if found is None:
            raise NotFoundException(f"there is no file at place {n} of this phone")
        way = "inline" if found.kind == "image" else "attachment"
        return page(found.content, found.type, _disposition(way, found.name))

    @post("/phone/{user:str}/menu")
    async def menu(user: FromPath[str], data: JSONBody[Tap]) -> None:
        if data.key not in MENU:
            raise ClientException(f"the menu has {', '.join(MENU)}")
        wecom.tap(user, data.key)

    @post("/phone/{user:str}/enter")
    async def enter(user: FromPath[str]) -> None:
        wecom.tell(user, "enter_agent", "")

    return [chat, texts, type_text, send_file, file, menu, enter]


def _console(wecom: "WeComSandbox") -> list[Any]:
    """What stands for WeCom's admin console, and for what can go wrong."""

    @get("/ledger")
    async def ledger() -> Ledger:
        return wecom.ledger()

    @post("/callback")
    async def save(data: JSONBody[Address]) -> None:
        try:
            await wecom.save(data.url)
        except CheckFailed as error:
            raise ClientException(str(error)) from error

    @post("/tokens/expire")
    async def expire() -> None:
        wecom.far_side.expire_tokens()

    @post("/tokens/invalidate")
    async def invalidate() -> None:
        wecom.far_side.invalidate_tokens()

    return [ledger, save, switchboard(wecom), expire, invalidate]


def _pages(wecom: "WeComSandbox") -> list[Any]:
    @get("/")
    async def index() -> Response[bytes]:
        phones = wecom.far_side.phones.values()
        links = "".join(f'<a href="/phone?user={html.escape(p.user)}">{html.escape(p.name)}</a>' for p in phones)
        index = (_PAGES / "index.html").read_text("utf-8").replace("<!-- phones -->", links)
        return page(index.encode(), "text/html; charset=utf-8")

    @get("/phone")
    async def phone() -> Response[bytes]:
        return page((_PAGES / "phone.html").read_bytes(), "text/html; charset=utf-8")

    @get("/phone.css")
    async def style() -> Response[bytes]:
        return page((_PAGES / "phone.css").read_bytes(), "text/css; charset=utf-8")

    @get("/phone.js")
    async def script() -> Response[bytes]:
        return page((_PAGES / "phone.js").read_bytes(), "text/javascript; charset=utf-8")

    return [index, phone, style, script]


def _disposition(way: str, name: str) -> dict[str, str]:
    return {"content-disposition": f"{way}; filename*=UTF-8''{quote(name, safe='')}"}
