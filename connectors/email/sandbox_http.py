"""The stand-in over HTTP: customers' webmail for pages and robots, and a console for what can go wrong."""

import base64
import binascii
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from litestar import Litestar, Request, Response, get, post
from litestar.exceptions import ClientException
from litestar.params import FromPath, FromQuery, JSONBody

from connectors.email.compose import is_address
from connectors.email.post_office import Letter
from hub.kit.stand_in import LONGEST_WAIT_S, page, switchboard

if TYPE_CHECKING:
    from connectors.email.sandbox import MailSandbox

MOST_BYTES = 30 << 20
_PAGES = Path(__file__).parent / "webmail"
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}


class Upload(msgspec.Struct):
    """A file of a mail; `content` is base64."""

    name: str
    type: str
    content: str


class Written(msgspec.Struct):
    """What somebody writes: without a subject it answers the mail with the Message-ID `answers`, or else the last."""

    text: str
    subject: str = ""
    files: list[Upload] = []
    answers: str = ""


class Posted(msgspec.Struct):
    """The Message-ID of a mail on its way."""

    message_id: str


def build_app(mail: "MailSandbox") -> Litestar:
    """The ASGI application of one stand-in."""
    return Litestar(
        [*_mailboxes(mail), *_console(mail), *_pages()],
        openapi_config=None,
        logging_config=None,  # Litestar's own would log for the whole process
        request_max_body_size=MOST_BYTES,
    )


def _mailboxes(mail: "MailSandbox") -> list[Any]:
    @get("/mailbox/{address:str}/letters")
    async def letters(
        address: FromPath[str], after: FromQuery[int] = 0, wait: FromQuery[float] = LONGEST_WAIT_S
    ) -> list[Letter]:
        return await mail.letters(address, after, min(wait, LONGEST_WAIT_S))

    @post("/mailbox/{address:str}/letters")
    async def write(address: FromPath[str], data: JSONBody[Written]) -> Posted:
        if not is_address(address):
            raise ClientException(f"{address!r} is no mail address; one looks like zhang@example.net")
        try:
            files = [(one.name, one.type, base64.b64decode(one.content, validate=True)) for one in data.files]
        except binascii.Error as error:
            raise ClientException(f"a file's content is no base64: {error}") from error
        return Posted(mail.say(address, data.text, subject=data.subject, files=files, answers=data.answers))

    return [letters, write]


def _console(mail: "MailSandbox") -> list[Any]:
    @get("/ledger")
    async def ledger() -> dict[str, list[Letter]]:
        return mail.ledger()

    @post("/renumber")
    async def renumber() -> None:
        mail.office.renumber()

    return [ledger, switchboard(mail), renumber]


def _pages() -> list[Any]:
    @get(["/", "/webmail.css", "/webmail.js"], sync_to_thread=False)
    def webmail(request: Request[Any, Any, Any]) -> Response[bytes]:
        file = _PAGES / (request.url.path.lstrip("/") or "webmail.html")
        return page(file.read_bytes(), f"{_TYPES[file.suffix]}; charset=utf-8")

    return [webmail]
