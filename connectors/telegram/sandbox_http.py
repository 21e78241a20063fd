"""The stand-in over HTTP: the Bot API, the phones for pages and robots, and a console for what can go wrong."""

import mimetypes
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec
from litestar import Litestar, MediaType, Request, Response, Router, get, post, route
from litestar.datastructures import UploadFile
from litestar.enums import RequestEncodingType
from litestar.exceptions import ClientException, HTTPException, NotFoundException
from litestar.params import FromPath, FromQuery, JSONBody

from connectors.telegram.sandbox_answers import Answer, Refusal, arguments, refused
from connectors.telegram.sandbox_files import MOST_UPLOAD, Kept, Upload
from connectors.telegram.sandbox_phones import OTHERS, Ledger, Shown
from hub.kit.stand_in import LONGEST_WAIT_S, page, switchboard

if TYPE_CHECKING:
    from connectors.telegram.sandbox import TelegramSandbox

MOST_BODY = MOST_UPLOAD + (1 << 20)
TOO_LARGE = Refusal(413, "Request Entity Too Large")
"""What is larger than a file may be, the web server in front answers (telegraf/telegraf#222)."""
_PAGES = Path(__file__).parent / "phone"
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
_FORMS = (RequestEncodingType.MULTI_PART, RequestEncodingType.URL_ENCODED)


class Typing(msgspec.Struct):
    """What somebody writes, or sends of another kind: one of OTHERS."""

    text: str = ""
    kind: str = "text"


class Change(msgspec.Struct):
    """A new text for a message of theirs."""

    message_id: int
    text: str


class Pressed(msgspec.Struct):
    """A button below a message, by its data."""

    message_id: int
    data: str


class Blocking(msgspec.Struct):
    """Whether somebody stops the bot, or starts it again."""

    on: bool


class Phone(msgspec.Struct):
    """A private chat as the phone shows it; `version` is the `seen` to ask for next. `notice` is the newest."""

    bot: str
    name: str
    version: int
    blocked: bool
    notice: str
    messages: list[Shown]


def build_app(telegram: "TelegramSandbox") -> Litestar:
    """The ASGI application of one stand-in."""
    return Litestar(
        [*_bot_api(telegram), _phones(telegram), *_console(telegram), *_pages(telegram)],
        openapi_config=None,
        logging_config=None,  # Litestar's own would log for the whole process
        request_max_body_size=MOST_BODY,
    )


def _no_such(_: Request[Any, Any, Any], error: KeyError) -> Response[dict[str, str]]:
    return Response({"detail": f"there is no {error}"}, status_code=404)


# --- what the real Telegram has too ----------------------------------------------------------------------------------


def _bot_api(telegram: "TelegramSandbox") -> list[Any]:
    @route("/{bot:str}/{method:str}", http_method=["GET", "POST"], exception_handlers={HTTPException: _as_telegram})
    async def call(request: Request[Any, Any, Any], bot: FromPath[str], method: FromPath[str]) -> Response[Any]:
        if not bot.startswith("bot"):
            return _answered(refused(Refusal(404, "Not Found")))
        try:
            args, files = await _arguments(request)
        except Refusal as refusal:
            return _answered(refused(refusal))
        return _answered(await telegram.call(bot.removeprefix("bot"), method, args, files))

    @get("/file/{bot:str}/{path:path}")
    async def download(bot: FromPath[str], path: FromPath[Path]) -> Response[Any]:
        found = await telegram.download(bot.removeprefix("bot"), str(path).lstrip("/"))
        if isinstance(found, Kept):
            return Response(found.content, media_type="application/octet-stream")
        return _answered(found)

    return [call, download]


async def _arguments(request: Request[Any, Any, Any]) -> tuple[dict[str, str], dict[str, Upload]]:
    """https://core.telegram.org/bots/api#making-requests: in the query, as JSON, or as either kind of form."""
    args, files = {name: str(value) for name, value in request.query_params.items()}, {}
    kind = request.content_type[0]
    if kind == RequestEncodingType.JSON:
        args |= arguments(await request.body())
    elif kind in _FORMS:
        for name, value in (await request.form()).multi_items():
            if not isinstance(value, UploadFile):
                args[name] = str(value)
                continue
            content = await value.read()
            if len(content) > MOST_UPLOAD:
                raise TOO_LARGE
            # Telegram goes by the name (td, MessageContent.cpp); what the client says counts where that says nothing
            type_ = mimetypes.guess_type(value.filename)[0] or value.content_type
            files[name] = Upload(value.filename, type_, content)
    return args, files


def _as_telegram(_: Request[Any, Any, Any], error: HTTPException) -> Response[Any]:
    """What Litestar refuses by itself, in Telegram's words."""
    return _answered(refused(TOO_LARGE if error.status_code == 413 else Refusal(400, f"Bad Request: {error.detail}")))


def _answered(answer: Answer) -> Response[Any]:
    if not answer.body:  # from something in front of Telegram
        return Response("", status_code=answer.status, media_type=MediaType.HTML)
    return Response(answer.body, status_code=answer.status, headers=answer.headers)


# --- what there is of people -----------------------------------------------------------------------------------------


def _phones(telegram: "TelegramSandbox") -> Router:
    """What a phone's page and the robots use."""

    @get("/chat")
    async def chat(user: FromPath[int], seen: FromQuery[int] = -1, wait: FromQuery[float] = LONGEST_WAIT_S) -> Phone:
        private = telegram.api.chats.all[user]
        await telegram.changed(user, seen, wait)
        notices = [press.notice for press in telegram.api.presses.values() if press.person == user and press.notice]
        return Phone(
            telegram.account.name, private.title, telegram.versions[user], private.blocked, "".join(notices[-1:]),
            telegram.shown(user),
        )  # fmt: skip

    @post("/say")
    async def say(user: FromPath[int], data: JSONBody[Typing]) -> dict[str, int]:
        if data.kind in OTHERS:
            return {"message_id": telegram.send_other(user, data.kind)}
        if data.kind != "text" or not data.text.strip():
            raise ClientException(f"a text, or one of {', '.join(OTHERS)}")
        return {"message_id": telegram.say(user, data.text)}

    @post("/files")
    async def send_file(
        request: Request[Any, Any, Any], user: FromPath[int], name: FromQuery[str] = "", kind: FromQuery[str] = ""
    ) -> dict[str, int]:
        """The body is the content; without a `kind` a picture is a photo, and all else a document."""
        type_ = mimetypes.guess_type(name)[0] or ""
        try:
            kind = kind or ("photo" if type_ in {"image/jpeg", "image/png", "image/webp"} else "document")
            return {"message_id": telegram.send_file(user, kind, await request.body(), name, type=type_)}
        except Refusal as refusal:
            raise ClientException(refusal.description) from refusal

    @get("/files/{n:int}")
    async def file(user: FromPath[int], n: FromPath[int]) -> Response[bytes]:
        found = telegram.api.chats.all[user].messages[n].file
        if found is None:
            raise NotFoundException(f"message {n} has no file")
        inline = found.kind == "photo"
        way = f"{'inline' if inline else 'attachment'}; filename*=UTF-8''{quote(found.name, safe='')}"
        type_ = found.type if inline and found.type.startswith("image/") else "application/octet-stream"
        return page(found.content, type_, {"content-disposition": way})

    handlers = [chat, say, send_file, file, *_doing(telegram)]
    return Router("/people/{user:int}", route_handlers=handlers, exception_handlers={KeyError: _no_such})


def _doing(telegram: "TelegramSandbox") -> list[Any]:
    @post("/edit")
    async def edit(user: FromPath[int], data: JSONBody[Change]) -> None:
        telegram.edit(user, data.message_id, data.text)

    @post("/press")
    async def press(user: FromPath[int], data: JSONBody[Pressed]) -> dict[str, str]:
        return {"callback_query_id": telegram.press(user, data.message_id, data.data)}

    @post("/block")
    async def block(user: FromPath[int], data: JSONBody[Blocking]) -> None:
        telegram.block(user, on=data.on)

    return [edit, press, block]


def _console(telegram: "TelegramSandbox") -> list[Any]:
    @get("/ledger")
    async def ledger() -> Ledger:
        return telegram.ledger()

    return [ledger, switchboard(telegram)]


def _pages(telegram: "TelegramSandbox") -> list[Any]:
    @get("/people")
    async def people() -> dict[str, Any]:
        names = {str(id_): person.name for id_, person in telegram.api.chats.people.items()}
        return {"bot": telegram.account.name, "people": names}

    @get(["/", "/phone.css", "/phone.js"], sync_to_thread=False)
    def phone(request: Request[Any, Any, Any]) -> Response[bytes]:
        file = _PAGES / (request.url.path.lstrip("/") or "phone.html")
        return page(file.read_bytes(), f"{_TYPES[file.suffix]}; charset=utf-8")

    return [people, phone]
