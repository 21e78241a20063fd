"""Files of conversations: tickets to upload one, links to read one (docs/protocol.md, Files).

The bytes go through /files/<signed word>, which is public: the word is the right. Whatever a file holds, it can do no
harm to a page of the hub's: its type is what the content is, and no browser runs anything in it.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import quote

import msgspec
import structlog
from litestar import Controller, Request, Response, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from litestar.response import Stream

from hub.api import byte_ranges
from hub.api.auth import Caller, may_read
from hub.api.clients import ClientRate
from hub.api.messages import check_id
from hub.api.needs import Needs
from hub.api.problems import problem
from hub.domain.ids import AGENT
from hub.domain.messages import Attachment
from hub.errors import AttachmentDamaged, NoAttachment
from hub.media import links
from hub.media.kinds import KINDS
from hub.media.links import Claim, Expired, Invalid, Link, Ticket
from hub.media.sniff import HEAD_BYTES, clean_name, sniff

MAX_KEYS = 100
UPLOAD_S = 900
"""An upload that takes longer has stalled: 20 MiB come through at 24 KB/s."""
CACHED_S = 2 * links.LINK_S
"""Content under a key never changes, but its link does."""
W = TypeVar("W", Link, Ticket)
logger = structlog.get_logger("api")


class UploadRequest(msgspec.Struct):
    """A file that is to be uploaded: what the sender calls it, and how many bytes it has."""

    name: Annotated[str, msgspec.Meta(max_length=255)]
    size: Annotated[int, msgspec.Meta(ge=0)]


class UploadTicket(msgspec.Struct):
    """Where the bytes go: a path of the hub's, for an upload that begins before `until` (Unix milliseconds)."""

    url: str
    until: int
    method: Literal["PUT"] = "PUT"


class Uploaded(msgspec.Struct):
    """What was kept; `claim` proves, in the message that sends it, that it was uploaded there and by whom."""

    attachment: Attachment
    claim: str


class Keys(msgspec.Struct):
    """Files that are to be read."""

    keys: Annotated[list[str], msgspec.Meta(max_length=MAX_KEYS)]


class ConversationFiles(Controller):
    """What a conversation's visitor and agent ask for before bytes can go."""

    path = "/api/v1/conversations/{id:str}/files"
    tags = ("files",)

    @post("/")
    async def mint_ticket(
        self,
        request: Request[Any, Caller, Any],
        id: FromPath[str],
        data: JSONBody[UploadRequest],
        needs: NamedDependency[Needs],
    ) -> UploadTicket:
        """The path that takes one file of at most this size for this conversation."""
        await _check_reader(request.auth, id, needs)
        _check_room(needs)
        if data.size > needs.media.max_bytes:
            raise problem(
                413, f"A file of {data.size:,} bytes exceeds the limit of {needs.media.max_bytes:,}.", "too_big"
            )
        until_s = int(needs.now_s()) + links.TICKET_S
        ticket = Ticket(until_s, id, request.auth.agent or "visitor", data.name, data.size)
        return UploadTicket(f"/files/{links.sign(ticket, needs.signing_key)}", until_s * 1000)

    @post("/links", status_code=200)
    async def mint_links(
        self, request: Request[Any, Caller, Any], id: FromPath[str], data: JSONBody[Keys], needs: NamedDependency[Needs]
    ) -> dict[str, str]:
        """A path for each key, good for at least 10 minutes. Files of others, and those that are gone, are left out."""
        await _check_reader(request.auth, id, needs)
        until_s = links.link_until(needs.now_s())
        own = [key for key in dict.fromkeys(data.keys) if _is_of(key, id)]
        found = await asyncio.gather(*(_describe(needs, key) for key in own))
        return {
            attachment.key: f"/files/{links.sign(Link(until_s, attachment), needs.signing_key)}"
            for attachment in found
            if attachment is not None
        }


@put("/files/{token:str}", request_max_body_size=None, status_code=201, tags=["files"])
async def upload(
    request: Request[Any, Any, Any],
    token: FromPath[str],
    needs: NamedDependency[Needs],
    uploads: NamedDependency[ClientRate],
) -> Uploaded:
    """Keep the body as the file that the ticket is for; nothing of it, when it is too long or of a type not taken."""
    ticket = _read(Ticket, token, needs)
    uploads.check(request)
    _check_room(needs)
    if (request.content_length or 0) > ticket.max_bytes:
        raise problem(413, f"The ticket is for {ticket.max_bytes:,} bytes: ask for another one.", "too_big")
    try:
        async with asyncio.timeout(UPLOAD_S):
            attachment = await _keep(request.stream(), ticket, needs)
    except TimeoutError:
        raise problem(408, f"The upload took longer than {UPLOAD_S} s.", "too_slow") from None
    claim = Claim(int(needs.now_s()) + links.CLAIM_S, ticket.conversation, ticket.by, attachment)
    return Uploaded(attachment, links.sign(claim, needs.signing_key))


@get("/files/{token:str}", include_in_schema=False)
async def download(
    request: Request[Any, Any, Any], token: FromPath[str], needs: NamedDependency[Needs]
) -> Response[Any]:
    """The file that the link is for, or the part of it that Range asks for."""
    attachment = _read(Link, token, needs).attachment
    headers = _headers(attachment)
    if headers["etag"] in request.headers.get("if-none-match", ""):
        return Response(b"", status_code=304, headers=headers)
    is_same = request.headers.get("if-range", headers["etag"]) == headers["etag"]
    try:
        part = byte_ranges.requested(request.headers.get("range", "") if is_same else "", attachment.size)
    except byte_ranges.Unsatisfiable as error:
        raise problem(416, f"{error}.", headers={"content-range": f"bytes */{attachment.size}"}) from None
    wanted = range(attachment.size) if part is None else part
    chunks = await needs.attachments.get(attachment.key, wanted.start, wanted.stop)
    headers["content-length"] = str(len(wanted))
    if part is not None:
        headers["content-range"] = f"bytes {part.start}-{part.stop - 1}/{attachment.size}"
    return Stream(chunks, status_code=200 if part is None else 206, headers=headers)


async def _check_reader(caller: Caller, conversation: str, needs: Needs) -> None:
    if not await may_read(caller, conversation, needs):
        raise problem(403, "This conversation is not yours.", "not_yours")
    check_id(conversation)


def _is_of(key: str, conversation: str) -> bool:
    """Whether who may read the conversation may read this file: its own, or one that an agent's phone has sent.

    Whose conversation an agent's file went to its key does not say; but only who has read it there knows the key.
    """
    owner = key.partition(".")[0]
    return owner == conversation or owner[:1] == AGENT


def _check_room(needs: Needs) -> None:
    """Files fill a disk before messages do."""
    if refusing := needs.health().refusing:
        raise problem(503, refusing, "unavailable", {"retry-after": "5"})


def _read(kind: type[W], token: str, needs: Needs) -> W:
    try:
        return links.read(kind, token, needs.now_s(), needs.signing_key)
    except Expired:
        raise problem(410, "This path has run out: ask for a new one.", "expired") from None
    except Invalid:
        raise problem(404, "There is no such file.", "not_found") from None


async def _describe(needs: Needs, key: str) -> Attachment | None:
    """What is kept under the key, if it can be read: one damaged file must not take the links to all others."""
    try:
        return await needs.attachments.describe(key)
    except NoAttachment:
        return None
    except AttachmentDamaged as error:
        logger.error("attachments", because=str(error))
        return None


async def _keep(body: AsyncIterator[bytes], ticket: Ticket, needs: Needs) -> Attachment:
    """Look at the beginning; what is of a type that is taken goes on into the store as it comes."""
    beginning = bytearray()
    async for chunk in body:
        beginning += chunk
        if len(beginning) >= HEAD_BYTES:
            break
    head = bytes(beginning)
    type_ = sniff(head)
    if type_ not in needs.media.types:
        raise problem(415, f"Files of the type {type_} are not taken here.", "type")

    async def whole() -> AsyncIterator[bytes]:
        yield head
        async for chunk in body:
            yield chunk

    name = clean_name(ticket.name, type_)
    return await needs.attachments.put(ticket.conversation, whole(), ticket.max_bytes, name=name, type=type_)


def _headers(attachment: Attachment) -> dict[str, str]:
    """What makes any content harmless: it is what it is, and it is nobody's page."""
    kind = KINDS.get(attachment.type)
    way = "inline" if kind is not None and kind.is_shown else "attachment"
    plain = re.sub(r'[^ -~]|["\\]', "_", attachment.name)
    return {
        "content-type": attachment.type,
        "content-disposition": f"{way}; filename=\"{plain}\"; filename*=UTF-8''{quote(attachment.name, safe='')}",
        "etag": f'"{attachment.key.rpartition(".")[2]}"',
        "accept-ranges": "bytes",
        "cache-control": f"private, max-age={CACHED_S}, immutable",
        "x-content-type-options": "nosniff",
        "content-security-policy": "sandbox; default-src 'none'",
        "cross-origin-resource-policy": "cross-origin",  # host pages show them
        "referrer-policy": "no-referrer",
    }
