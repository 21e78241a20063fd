"""Uploads and downloads over real HTTP, into a real nats-server."""

import asyncio
import contextlib
import random
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from structlog.testing import capture_logs

from hub.api import files
from hub.bus.attachment_folder import FolderAttachments
from hub.bus.attachment_stream import StreamAttachments
from hub.bus.connection import connect
from hub.bus.server import EmbeddedServer
from hub.domain.messages import Attachment
from hub.engine.calls import Health
from hub.media import links
from hub.media.kinds import KINDS
from hub.media.links import LINK_S, Claim, Link, Ticket
from hub.settings import Media
from tests.api.world import AGENT, NOW_S, World, problem_of
from tests.api.world import C as CONVERSATION
from tests.bus import faults

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
PAGE = b"<!doctype html><script>alert(document.domain)</script>"
KEY = b"s" * 32
FILES = f"/api/v1/conversations/{CONVERSATION}/files"
LIMIT = 20 * 2**20


class Site:
    """The API on a port, over a store that may be any."""

    def __init__(self, world: World, http: httpx.AsyncClient, address: tuple[str, int]) -> None:
        self.world, self.http, self.address = world, http, address

    async def ask(self, method: str, path: str, role: str = "none", **request: Any) -> httpx.Response:
        headers = self.world.headers(role) | request.pop("headers", {})
        return await self.http.request(method, path, headers=headers, **request)

    async def ticket(self, size: int, name: str = "照片.png", role: str = "visitor") -> str:
        """The path that takes the upload."""
        answer = await self.ask("POST", FILES, role, json={"name": name, "size": size})
        assert (answer.status_code, answer.json()["method"]) == (201, "PUT")
        return str(answer.json()["url"])

    async def upload(self, content: bytes, name: str = "照片.png", role: str = "visitor") -> Attachment:
        answer = await self.ask("PUT", await self.ticket(len(content), name, role), content=content)
        assert answer.status_code == 201
        return Attachment(**answer.json()["attachment"])

    async def link(self, key: str, role: str = "visitor") -> str:
        answer = await self.ask("POST", f"{FILES}/links", role, json={"keys": [key]})
        assert answer.status_code == 200
        return str(answer.json()[key])

    async def get(self, content: bytes, name: str = "照片.png", **headers: str) -> httpx.Response:
        """The answer to a download of what is uploaded first."""
        path = await self.link((await self.upload(content, name)).key)
        return await self.ask("GET", path, headers={key.replace("_", "-"): value for key, value in headers.items()})


@contextlib.asynccontextmanager
async def served(world: World) -> AsyncIterator[Site]:
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(world.app, http="httptools", log_config=None, proxy_headers=False))
    serving = asyncio.create_task(server.serve([listener]))
    while not server.started:
        await asyncio.sleep(0.005)
    address = listener.getsockname()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{address[1]}") as http:
        yield Site(world, http, address)
    server.should_exit = True
    await serving


@pytest.fixture
async def store(nats: EmbeddedServer, tmp_path: Path) -> AsyncIterator[StreamAttachments]:
    connection = await connect(nats.url, "test")
    yield StreamAttachments(connection, tmp_path / "uploads", patience_s=1)
    await connection.close()


@pytest.fixture
def media() -> Media:
    return Media(uploads_per_minute=1000)


@pytest.fixture
async def site(store: StreamAttachments, media: Media) -> AsyncIterator[Site]:
    async with served(World(attachments=store, media=media)) as made:
        yield made


def without_names(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.exists() else []


@pytest.mark.parametrize("role", ["visitor", "agent"])
@pytest.mark.parametrize("content", [b"", b"a", PNG, PNG + random.Random(1).randbytes(LIMIT - len(PNG))], ids=len)
async def test_what_is_uploaded_can_be_downloaded(site: Site, content: bytes, role: str) -> None:
    site.world.calls.post(CONVERSATION, "hi")
    site.world.calls.assign(CONVERSATION, AGENT)
    attachment = await site.upload(content, role=role)
    assert attachment.size == len(content)
    assert attachment.key.startswith(f"{CONVERSATION}.")
    for reader in ("visitor", "agent", "admin"):
        answer = await site.ask("GET", await site.link(attachment.key, reader))
        assert (answer.status_code, answer.content) == (200, content)
        assert int(answer.headers["content-length"]) == len(content)


async def test_the_claim_says_what_was_uploaded_where_and_by_whom(site: Site) -> None:
    site.world.calls.post(CONVERSATION, "hi")
    site.world.calls.assign(CONVERSATION, AGENT)
    for role, by in (("visitor", "visitor"), ("agent", AGENT)):
        said = (await site.ask("PUT", await site.ticket(len(PNG), role=role), content=PNG)).json()
        claim = links.read(Claim, said["claim"], NOW_S, KEY)
        assert claim == Claim(NOW_S + links.CLAIM_S, CONVERSATION, by, Attachment(**said["attachment"]))
        assert (claim.attachment.name, claim.attachment.type) == ("照片.png", "image/png")
        with pytest.raises(links.Invalid):
            links.read(Link, said["claim"], NOW_S, KEY)  # a claim opens no file


async def test_the_same_upload_gets_the_same_key(site: Site) -> None:
    first, again = await site.upload(PNG), await site.upload(PNG, "../b.PNG")
    assert (first.key, again.name) == (again.key, "b.PNG")


async def test_others_get_neither_ticket_nor_link(site: Site) -> None:
    key = (await site.upload(PNG)).key
    for path, body in (("files", {"name": "a", "size": 1}), ("files/links", {"keys": [key]})):
        for conversation, role in (("c7-other", "visitor"), (CONVERSATION, "agent"), ("c7-other", "agent")):
            answer = await site.ask("POST", f"/api/v1/conversations/{conversation}/{path}", role, json=body)
            assert (answer.status_code, problem_of(answer)["code"]) == (403, "not_yours")
    answer = await site.ask("POST", "/api/v1/conversations/nonsense/files/links", "admin", json={"keys": [key]})
    assert answer.status_code == 404


async def test_links_to_files_of_others_and_to_what_is_gone_are_left_out(site: Site, store: StreamAttachments) -> None:
    mine, gone = await site.upload(PNG), await site.upload(PNG + b"x")
    other = await store.put("c7-other", PNG, LIMIT, name="a.png", type="image/png")
    await store.delete(gone.key)
    asked = [gone.key, other.key, mine.key, mine.key, f"../{mine.key}", f"{CONVERSATION}.>", "", "\x00"]
    answer = await site.ask("POST", f"{FILES}/links", "visitor", json={"keys": asked})
    assert answer.json().keys() == {mine.key}


async def test_a_link_to_what_has_been_deleted_since_leads_nowhere(site: Site, store: StreamAttachments) -> None:
    attachment = await site.upload(PNG)
    path = await site.link(attachment.key)
    await store.erase(CONVERSATION)
    assert problem_of(await site.ask("GET", path))["code"] == "not_found"


async def test_links_and_tickets_run_out(site: Site) -> None:
    ticket, link = await site.ticket(len(PNG)), await site.link((await site.upload(PNG)).key)
    site.world.now_s += LINK_S - 1
    assert (await site.ask("GET", link)).status_code == 200
    assert (await site.ask("PUT", ticket, content=PNG)).status_code == 201
    site.world.now_s += LINK_S + 1
    for answer in (await site.ask("GET", link), await site.ask("PUT", ticket, content=PNG)):
        assert (answer.status_code, problem_of(answer)["code"]) == (410, "expired")


async def test_what_was_not_signed_for_this_leads_nowhere(site: Site) -> None:
    attachment = await site.upload(PNG)
    ticket, link = await site.ticket(len(PNG)), await site.link(attachment.key)
    forged = links.sign(Link(NOW_S + 600, attachment), b"t" * 32)
    assert problem_of(await site.ask("PUT", link, content=PNG))["status"] == 404
    named = (f"/files/{word}" for word in (forged, attachment.key, "..%2f..%2fetc%2fpasswd", "é"))
    for path in (ticket, link + "x", link[:-1], *named):
        assert problem_of(await site.ask("GET", path))["status"] == 404, path


@pytest.mark.parametrize("name", ["../../../tmp/x.png", "..\\..\\x.png", "/etc/passwd", "\u202egnp.x", "a\r\nb: c.png"])
async def test_a_name_leads_to_no_other_place(site: Site, name: str) -> None:
    answer = await site.get(PNG, name)
    disposition = answer.headers["content-disposition"]
    assert disposition.isascii()
    assert not {"/", "\\", "\r", "\n"} & set(disposition)
    assert disposition.startswith('inline; filename="')


@pytest.mark.parametrize("media", [Media(types=tuple(KINDS))])
async def test_a_page_that_is_called_a_picture_is_a_download(site: Site) -> None:
    answer = await site.get(PAGE, "照片.png")
    assert answer.content == PAGE
    headers = {name: answer.headers[name] for name in answer.headers if name not in {"date", "server", "vary", "etag"}}
    assert headers == {
        "content-type": "text/html",
        "content-length": str(len(PAGE)),
        "content-disposition": "attachment; filename=\"__.html\"; filename*=UTF-8''%E7%85%A7%E7%89%87.html",
        "x-content-type-options": "nosniff",
        "content-security-policy": "sandbox; default-src 'none'",
        "cross-origin-resource-policy": "cross-origin",
        "referrer-policy": "no-referrer",
        "cache-control": "private, max-age=1200, immutable",
        "accept-ranges": "bytes",
    }


@pytest.mark.parametrize("media", [Media(types=tuple(KINDS))])
@pytest.mark.parametrize(
    ("content", "type_", "way"),
    [
        (PNG, "image/png", "inline"),
        (b"\x00\x00\x00\x14ftypisom\x00\x00\x00\x00mp42", "video/mp4", "inline"),
        (b"#!AMR\n\x3c\x91", "audio/amr", "inline"),
        (b"%PDF-1.7\n", "application/pdf", "attachment"),
        (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "image/svg+xml", "attachment"),
        (b"<?xml version='1.0'?><a/>", "text/xml", "attachment"),
        (b"alert(1)", "text/plain", "attachment"),
        (b"MZ\x00", "application/octet-stream", "attachment"),
    ],
)
async def test_only_what_cannot_act_is_shown(site: Site, content: bytes, type_: str, way: str) -> None:
    answer = await site.get(content)
    assert answer.headers["content-type"] == type_
    assert answer.headers["content-disposition"].partition(";")[0] == way
    assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"


@pytest.mark.parametrize("content", [PAGE, b"<svg onload='alert(1)'>", b"MZ\x90\x00", b"\x7fELF\x00"])
async def test_a_type_that_is_not_taken_is_refused(site: Site, tmp_path: Path, content: bytes) -> None:
    answer = await site.ask("PUT", await site.ticket(len(content)), content=content)
    assert (answer.status_code, problem_of(answer)["code"]) == (415, "type")


async def test_a_refusal_reaches_who_is_still_sending(site: Site) -> None:
    content = PAGE + bytes(LIMIT - len(PAGE))
    answer = await site.ask("PUT", await site.ticket(len(content)), content=content)
    assert problem_of(answer)["code"] == "type"
    assert (await site.upload(PNG)).size == len(PNG)


async def test_a_file_that_is_too_long_gets_no_ticket(site: Site) -> None:
    answer = await site.ask("POST", FILES, "visitor", json={"name": "a", "size": LIMIT + 1})
    assert (answer.status_code, problem_of(answer)["code"]) == (413, "too_big")
    assert "20,971,520" in problem_of(answer)["detail"]


@pytest.mark.parametrize("body", [{}, {"name": "a"}, {"name": "a", "size": -1}, {"name": "a" * 256, "size": 1}, []])
async def test_a_wish_that_is_none_is_refused(site: Site, body: object) -> None:
    assert problem_of(await site.ask("POST", FILES, "visitor", json=body))["status"] == 400


async def test_so_many_keys_and_no_more(site: Site) -> None:
    keys = [f"{CONVERSATION}.{number:032}" for number in range(files.MAX_KEYS + 1)]
    answer = await site.ask("POST", f"{FILES}/links", "visitor", json={"keys": keys})
    assert problem_of(answer)["status"] == 400
    answer = await site.ask("POST", f"{FILES}/links", "visitor", json={"keys": keys[1:]})
    assert (answer.status_code, answer.json()) == (200, {})


@pytest.mark.parametrize("is_said", [True, False])
async def test_more_than_the_ticket_is_for_is_refused(site: Site, tmp_path: Path, is_said: bool) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield PNG + b"x"

    content: Any = PNG + b"x" if is_said else body()
    answer = await site.ask("PUT", await site.ticket(len(PNG)), content=content)
    assert (answer.status_code, problem_of(answer)["code"]) == (413, "too_big")
    assert without_names(tmp_path / "uploads") == []


async def test_a_body_without_an_end_is_cut_off(site: Site) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        yield PNG
        while sent < 100:
            sent += 1
            yield bytes(1 << 20)

    answer = await site.ask("PUT", await site.ticket(LIMIT), content=endless())
    assert problem_of(answer)["code"] == "too_big"


async def test_an_upload_that_is_cut_leaves_nothing_to_read(
    site: Site, store: StreamAttachments, tmp_path: Path
) -> None:
    begun, ended, kept = asyncio.Event(), asyncio.Event(), []
    put = store.put

    async def watched(*args: Any, **kwargs: Any) -> Attachment:
        begun.set()
        try:
            attachment = await put(*args, **kwargs)
        finally:
            ended.set()
        kept.append(attachment)
        return attachment

    store.put = watched  # type: ignore[method-assign]
    ticket = await site.ticket(LIMIT)
    _, writer = await asyncio.open_connection(*site.address)
    writer.write(
        f"PUT {ticket} HTTP/1.1\r\nhost: hub\r\ncontent-length: {LIMIT}\r\n\r\n".encode() + PNG + bytes(1 << 20)
    )
    await writer.drain()
    await begun.wait()
    writer.transport.abort()
    await ended.wait()
    assert kept == []
    assert without_names(tmp_path / "uploads") == []
    assert (await site.upload(PNG)).size == len(PNG)


async def test_an_upload_that_stalls_is_given_up(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "UPLOAD_S", 0.1)
    reader, writer = await asyncio.open_connection(*site.address)
    writer.write(f"PUT {await site.ticket(LIMIT)} HTTP/1.1\r\nhost: hub\r\ncontent-length: 100\r\n\r\n".encode() + PNG)
    assert b" 408 " in await asyncio.wait_for(reader.readline(), 10)
    writer.close()


CONTENT = PNG + random.Random(3).randbytes(1_000_000)


@pytest.mark.parametrize(
    ("asked", "said", "content"),
    [
        ("bytes=0-1", f"bytes 0-1/{len(CONTENT)}", CONTENT[:2]),
        ("bytes=262143-262144", f"bytes 262143-262144/{len(CONTENT)}", CONTENT[262143:262145]),
        ("bytes=300000-", f"bytes 300000-{len(CONTENT) - 1}/{len(CONTENT)}", CONTENT[300000:]),
        ("bytes=-5", f"bytes {len(CONTENT) - 5}-{len(CONTENT) - 1}/{len(CONTENT)}", CONTENT[-5:]),
        ("bytes=0-", f"bytes 0-{len(CONTENT) - 1}/{len(CONTENT)}", CONTENT),
    ],
)
async def test_a_part_of_a_film_is_given(site: Site, asked: str, said: str, content: bytes) -> None:
    answer = await site.get(CONTENT, range=asked)
    assert (answer.status_code, answer.headers["content-range"]) == (206, said)
    assert (answer.content == content, int(answer.headers["content-length"])) == (True, len(content))


async def test_a_part_that_there_is_not_is_refused(site: Site) -> None:
    answer = await site.get(PNG, range="bytes=99-")
    assert (answer.status_code, answer.headers["content-range"]) == (416, f"bytes */{len(PNG)}")


async def test_what_a_browser_has_is_not_sent_again(site: Site) -> None:
    path = await site.link((await site.upload(PNG)).key)
    etag = (await site.ask("GET", path)).headers["etag"]
    answer = await site.ask("GET", path, headers={"if-none-match": etag})
    assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", etag)
    for known, status in ((etag, 206), ('"other"', 200)):
        answer = await site.ask("GET", path, headers={"range": "bytes=0-1", "if-range": known})
        assert answer.status_code == status
    assert await site.link((await site.upload(PNG)).key) == path, "a reload finds it in the browser's cache"


async def test_pages_of_other_sites_may_upload_and_show(site: Site) -> None:
    origin = {"origin": "https://shop.example"}
    ticket = await site.ticket(len(PNG))
    preflight = {"access-control-request-method": "PUT", "access-control-request-headers": "content-type"}
    answer = await site.ask("OPTIONS", ticket, headers=origin | preflight)
    assert answer.status_code < 300
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "PUT" in answer.headers["access-control-allow-methods"]
    answer = await site.ask("PUT", ticket, content=PNG, headers=origin)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (201, "*")


@pytest.mark.parametrize("media", [Media(uploads_per_minute=1)])
async def test_one_address_uploads_so_many_and_no_more(site: Site) -> None:
    ticket = await site.ticket(len(PNG))
    answers = [await site.ask("PUT", ticket, content=PNG) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201, 201, 429]
    assert int(answers[-1].headers["retry-after"]) > 0


async def test_no_file_is_taken_while_the_log_has_no_room(site: Site) -> None:
    ticket = await site.ticket(len(PNG))
    site.world.health = Health("w0", refusing="the log's disk has 3 % free")
    for answer in (
        await site.ask("PUT", ticket, content=PNG),
        await site.ask("POST", FILES, "visitor", json={"name": "a", "size": 1}),
    ):
        assert (answer.status_code, int(answer.headers["retry-after"]) > 0) == (503, True)


async def test_a_store_that_is_away_asks_to_come_again(site: Site, nats: EmbeddedServer) -> None:
    ticket, link = await site.ticket(len(PNG)), await site.link((await site.upload(PNG)).key)
    with faults.frozen(nats):
        for answer in (await site.ask("PUT", ticket, content=PNG), await site.ask("GET", link)):
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
            assert problem_of(answer)["code"] == "unavailable"
    assert (await site.ask("PUT", ticket, content=PNG)).status_code == 201


async def test_a_damaged_file_takes_no_other_with_it(tmp_path: Path) -> None:
    world = World(disk=tmp_path)
    store = FolderAttachments(tmp_path / "files")
    whole, hurt = [
        await store.put(CONVERSATION, content, LIMIT, name="a.png", type="image/png") for content in (PNG, PNG + b"x")
    ]
    (tmp_path / "files" / hurt.key.replace(".", "/")).with_suffix(".json").write_bytes(b"{")
    with capture_logs() as lines:
        answer = await world.ask("POST", f"{FILES}/links", "visitor", json={"keys": [hurt.key, whole.key]})
    assert answer.json().keys() == {whole.key}
    assert hurt.key in lines[0]["because"]


async def test_a_damaged_file_is_never_a_whole_answer(site: Site, store: StreamAttachments) -> None:
    content = PNG + bytes(300_000)
    path = await site.link((await site.upload(content)).key)

    async def _read(key: str, start: int, stop: int) -> AsyncIterator[bytes]:
        yield content[:-1]
        yield b"x"

    store._read = _read  # type: ignore[method-assign]
    with pytest.raises(httpx.RemoteProtocolError):
        await site.ask("GET", path)


async def test_the_words_of_a_disk_stay_in_the_log() -> None:
    world = World()  # its folder cannot be written to
    ticket = Ticket(NOW_S + 600, CONVERSATION, "visitor", "a.png", 100)
    with capture_logs() as lines:
        answer = await world.ask("PUT", f"/files/{links.sign(ticket, KEY)}", content=PNG)
    assert (answer.status_code, problem_of(answer)["code"], "/dev" in answer.text) == (503, "unavailable", False)
    assert "/dev/null/files: Not a directory; make room on that disk" in lines[0]["because"]
    assert lines[0]["path"] == "/files/{token}", "a path with its word would be a key to the file"


PAGE_OF_PROTOCOL = " ".join((Path(__file__).parents[2] / "docs" / "protocol.md").read_text(encoding="utf-8").split())


@pytest.mark.parametrize(
    "sentence",
    [
        f"begins within {links.TICKET_S // 60} minutes",
        f"good for at least {links.LINK_S // 60} minutes",
        f"good for {links.CLAIM_S // 86_400} days",
        f"At most {files.MAX_KEYS} keys",
        f"{files.UPLOAD_S // 60} minutes long",
    ],
)
def test_the_protocol_page_names_the_limits(sentence: str) -> None:
    assert sentence in PAGE_OF_PROTOCOL
