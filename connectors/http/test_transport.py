"""Requests go out whole, answers come in as they were sent, and what breaks is told in httpx's words."""

import asyncio
import contextlib
import gzip
import ssl
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest

from connectors.http import transport
from connectors.http.transport import Transport

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
TOKEN = "7000000000:secret"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Server:
    """A far side that answers each request with the next of `answers`, the last one again and again; byte by byte
    where `torn`. `requests` are what came, `connections` how many were opened.
    """

    def __init__(self, *answers: bytes, torn: bool = False) -> None:
        self._answers, self._torn = list(answers), torn
        self.requests: list[bytes] = []
        self.connections = 0

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                self.requests.append(await _request(reader))
                answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
                for piece in [answer[i : i + 1] for i in range(len(answer))] if self._torn else [answer]:
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0)
                if b"close" in answer.lower():
                    break
        writer.close()


async def _request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    fields = dict(line.split(b": ", 1) for line in head.lower().split(b"\r\n")[1:-2])
    if b"transfer-encoding" in fields:
        return head + await reader.readuntil(b"0\r\n\r\n")
    return head + await reader.readexactly(int(fields.get(b"content-length", 0)))


@contextlib.asynccontextmanager
async def far_side(take: Answer, secure: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    async with await asyncio.start_server(take, "127.0.0.1", 0, ssl=secure) as server:
        yield f"{'https' if secure else 'http'}://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@contextlib.asynccontextmanager
async def client(take: Answer, silence_s: float = 20) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        far_side(take) as url,
        httpx.AsyncClient(base_url=url, timeout=httpx.Timeout(20, read=silence_s), transport=Transport(url)) as http,
    ):
        yield http


@pytest.mark.parametrize("torn", [False, True])
@pytest.mark.parametrize(
    ("answer", "status", "body"),
    [
        (OK, 200, b"ok"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
        (b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", 500, b""),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", 200, b"abcde"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Trailer: 1\r\n\r\n", 200, b"a"),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end", 200, b"until the end"),
        (b"HTTP/1.0 200 OK\r\nX: close\r\n\r\nuntil the end", 200, b"until the end"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n" + OK, 200, b"ok"),
    ],
)  # fmt: skip
async def test_an_answer_arrives_as_it_was_sent(answer: bytes, status: int, body: bytes, torn: bool) -> None:
    async with client(Server(answer, torn=torn).take) as http:
        for _ in range(2):
            got = await http.post("/", content=b"x")
            assert (got.status_code, got.content) == (status, body)


async def test_a_compressed_answer_is_unpacked() -> None:
    packed = gzip.compress(b"a long text" * 100)
    answer = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(packed), packed)
    async with client(Server(answer).take) as http:
        assert (await http.get("/")).content == b"a long text" * 100


async def test_a_request_arrives_whole_with_its_fields() -> None:
    server = Server(OK)
    async with client(server.take) as http:
        await http.post("/a b?c=%E4%BD%A0", content=b"\x00body", headers={"X-Key": "k:1"})
    (request,) = server.requests
    assert request.startswith(b"POST /a%20b?c=%E4%BD%A0 HTTP/1.1\r\n")
    assert request.endswith(b"\r\n\r\n\x00body")
    assert {b"x-key: k:1", b"content-length: 5"} <= set(request.lower().split(b"\r\n"))


async def test_a_body_of_unknown_length_goes_in_chunks() -> None:
    async def content() -> AsyncIterator[bytes]:
        yield b"abc"
        yield b""  # would end it
        yield b"d" * 16

    server = Server(OK)
    async with client(server.take) as http:
        await http.post("/", content=content())
    assert server.requests[0].endswith(b"\r\n\r\n3\r\nabc\r\n10\r\n" + b"d" * 16 + b"\r\n0\r\n\r\n")


async def test_a_body_that_cannot_be_read_is_told_as_what_it_is() -> None:
    async def content() -> AsyncIterator[bytes]:
        yield b"abc"
        raise LookupError("the file is gone")

    server = Server(OK)
    async with client(server.take) as http:
        with pytest.raises(LookupError, match="the file is gone"):
            await http.post("/", content=content())
    assert server.requests == []


async def test_a_body_larger_than_all_buffers_arrives_whole() -> None:
    server = Server(OK)
    async with client(server.take) as http:
        answer = await http.post("/", files={"media": ("a.bin", b"\xff" * 20_000_000)})
    assert answer.content == b"ok"
    assert len(server.requests[0]) > 20_000_000


async def test_one_connection_serves_requests_that_follow_each_other_and_calls_side_by_side_have_their_own() -> None:
    server = Server(OK)
    async with client(server.take) as http:
        for _ in range(5):
            await http.post("/", content=b"x")
        assert server.connections == 1
        await asyncio.gather(*(http.post("/", content=b"x") for _ in range(5)))
        assert 1 < server.connections <= 5
        opened = server.connections
        await asyncio.gather(*(http.post("/", content=b"x") for _ in range(opened)))
        assert server.connections == opened


async def test_a_connection_that_was_idle_for_long_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "IDLE_S", 0.0)
    server = Server(OK)
    async with client(server.take) as http:
        await http.post("/", content=b"x")
        await asyncio.sleep(0.01)
        await http.post("/", content=b"x")
    assert server.connections == 2


@pytest.mark.parametrize(
    "first",
    [
        OK.replace(b"OK", b"OK\r\nConnection: close"), OK + OK,
        b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    ],
)  # fmt: skip
async def test_a_connection_that_cannot_be_trusted_is_not_used_again(first: bytes) -> None:
    server = Server(first, OK)
    async with client(server.take) as http:
        for _ in range(2):
            assert (await http.post("/", content=b"x")).status_code == 200
    assert server.connections == 2


async def test_an_answer_that_is_given_up_ends_its_connection() -> None:
    server = Server(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1_000_000, OK)
    async with client(server.take) as http:
        async with http.stream("GET", "/") as answer:
            async for _ in answer.aiter_bytes():
                break
        assert (await http.get("/")).content == b"ok"
    assert server.connections == 2


async def test_who_reads_slowly_holds_up_the_server() -> None:
    sent = 0

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await _request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            while True:
                writer.write(b"x" * 65_536)
                await writer.drain()
                sent += 65_536

    async with client(endless) as http, http.stream("GET", "/") as answer:
        first = await anext(answer.aiter_raw())
        await asyncio.sleep(0.3)
        assert sent < 20_000_000
    assert len(first) < 1_000_000


async def test_an_early_refusal_is_heard_although_the_body_is_not_sent_to_its_end() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nno!")
        await reader.read(65_536)
        await asyncio.sleep(1)

    async def content() -> AsyncIterator[bytes]:
        for _ in range(1_000):
            yield b"x" * 65_536
            await asyncio.sleep(0)

    async with client(refuse) as http:
        answer = await http.post("/", content=content(), headers={"content-length": "65536000"})
        assert (answer.status_code, answer.content) == (413, b"no!")


@pytest.mark.parametrize(
    ("answer", "silence_s", "error"),
    [
        (b"close", 20, httpx.RemoteProtocolError),
        (b"SSH-2.0 close\r\n", 20, httpx.RemoteProtocolError),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 9\r\n\r\nshort", 20, httpx.RemoteProtocolError),
        (
            b"HTTP/1.1 200 OK\r\nX: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", 20,
            httpx.RemoteProtocolError,
        ),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 1_000_000 + b"\r\n\r\n", 20, httpx.RemoteProtocolError),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200_000 + b"\r\n", 20, httpx.RemoteProtocolError),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", 0.2, httpx.ReadTimeout),
        (b"HTTP/1.1 200", 0.2, httpx.ReadTimeout),
    ],
)  # fmt: skip
async def test_what_is_no_whole_answer_is_an_error_of_httpx(
    answer: bytes, silence_s: float, error: type[Exception]
) -> None:
    async with client(Server(answer).take, silence_s) as http:
        with pytest.raises(error):
            await http.post("/", content=b"x")
        with pytest.raises(error):  # nothing of the first is left over
            await http.post("/", content=b"x")


async def broken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.transport.abort()


@pytest.mark.parametrize(
    "take",
    [
        broken,
        Server(b"close").take,
        Server(b"SSH-2.0 close\r\n").take,
        Server(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 9\r\n\r\nshort").take,
        Server(b"HTTP/1.1 200").take,
    ],
)
@pytest.mark.parametrize("size", [1, 50_000_000])
async def test_no_error_holds_the_address_for_a_token_is_part_of_it(take: Answer, size: int) -> None:
    async with client(take, silence_s=0.5) as http:
        with pytest.raises(httpx.TransportError) as raised:
            await http.post(f"/bot{TOKEN}/send", params={"access_token": TOKEN}, content=b"x" * size)
    assert TOKEN not in "".join(traceback.format_exception(raised.value))


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def test_a_connection_that_is_never_made_is_told_without_the_address() -> None:
    async with (
        far_side(silent) as url,
        httpx.AsyncClient(transport=Transport("https://127.0.0.1"), timeout=0.2) as http,
    ):
        with pytest.raises(httpx.ConnectTimeout) as raised:
            await http.get(f"{url.replace('http', 'https')}/bot{TOKEN}/send")
    assert TOKEN not in "".join(traceback.format_exception(raised.value))


async def test_where_nobody_listens_nothing_was_sent() -> None:
    async with far_side(Server(OK).take) as url:
        pass
    async with httpx.AsyncClient(transport=Transport("https://127.0.0.1")) as http:
        with pytest.raises(httpx.ConnectError):
            await http.post(url, content=b"x")
        with pytest.raises(httpx.ConnectError):
            await http.post("http://name.invalid/", content=b"x")


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "a\rb", "a\0b"])
async def test_a_line_break_in_a_field_is_refused_before_anything_is_sent(value: str) -> None:
    server = Server(OK)
    async with client(server.take) as http:
        with pytest.raises(httpx.LocalProtocolError):
            await http.post("/", content=b"x", headers={"X-Key": value})
    assert server.requests == []


async def test_who_stops_waiting_ends_the_connection() -> None:
    server = Server(b"HTTP/1.1 200", OK)
    async with client(server.take) as http:
        waiting = asyncio.create_task(http.post("/", content=b"x"))
        async with asyncio.timeout(20):
            while not server.requests:
                await asyncio.sleep(0.01)
        waiting.cancel()
        await asyncio.wait([waiting])
        assert (await http.post("/", content=b"x")).content == b"ok"
    assert server.connections == 2


async def test_a_server_whose_certificate_nobody_vouches_for_gets_nothing(certificate: ssl.SSLContext) -> None:
    server = Server(OK)
    async with (
        far_side(server.take, certificate) as url,
        httpx.AsyncClient(transport=Transport("https://127.0.0.1")) as http,
    ):
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await http.post(url, content=b"x")
    assert server.requests == []


async def test_a_server_that_is_trusted_is_spoken_to_in_tls(certificate: ssl.SSLContext, trust: ssl.SSLContext) -> None:
    server = Server(OK)
    async with far_side(server.take, certificate) as url, httpx.AsyncClient(transport=Transport(url, trust)) as http:
        for _ in range(2):
            assert (await http.post(url, content=b"x" * 1_000_000)).content == b"ok"
    assert server.connections == 1


async def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(OK)
    async with far_side(server.take) as url:
        monkeypatch.setenv("http_proxy", url.removeprefix("http://"))
        async with httpx.AsyncClient(transport=Transport("http://platform.invalid/")) as http:
            assert (await http.post("http://platform.invalid/", content=b"x")).content == b"ok"
    assert server.requests[0].startswith(b"POST http://platform.invalid/ HTTP/1.1")


@pytest.mark.parametrize(
    ("take", "connect_s", "error"),
    [
        (Server(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n").take, 20, httpx.ConnectError),
        (silent, 0.2, httpx.ConnectTimeout),
    ],
)
async def test_a_proxy_that_makes_no_tunnel_has_sent_nothing(
    monkeypatch: pytest.MonkeyPatch, take: Answer, connect_s: float, error: type[Exception]
) -> None:
    async with far_side(take) as url:
        monkeypatch.setenv("https_proxy", url)
        timeout, transport = httpx.Timeout(20, connect=connect_s), Transport("https://platform.invalid/")
        async with httpx.AsyncClient(transport=transport, timeout=timeout) as http, asyncio.timeout(20):
            with pytest.raises(error):
                await http.post("https://platform.invalid/", content=b"x")


async def test_a_proxy_is_not_for_this_machine_nor_for_whom_the_environment_excepts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("all_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "localhost")
    async with far_side(Server(OK).take) as url:
        for direct in (url, url.replace("127.0.0.1", "localhost")):
            async with httpx.AsyncClient(transport=Transport(direct)) as http:
                assert (await http.get(direct)).content == b"ok"
        async with httpx.AsyncClient(transport=Transport("http://outside.invalid")) as http:
            with pytest.raises(httpx.ConnectError, match=r"127\.0\.0\.1:9"):
                await http.get("http://outside.invalid")
