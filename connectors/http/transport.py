"""How httpx reaches a platform: a transport of its own, because httpx's takes ten times the core time.

Its pool looks at all of its connections, with a system call each, at the beginning and at the end of every request.
Here a request takes the connection that was used last, without looking at others, and goes from it to asyncio.
"""

import asyncio
import functools
import ssl
import urllib.request
from collections import deque
from collections.abc import AsyncIterator

import httpx

from connectors.http.exchange import Exchange

IDLE_S = 2.0
"""Many servers close an idle connection after 5 s; a request that meets the closing would have an unknown outcome."""
Origin = tuple[str, str, int]


def open_transport(url: str) -> httpx.AsyncBaseTransport:
    """The way to the server of `url`, for an httpx.AsyncClient or to hand requests to.

    Where the environment names a proxy for it (HTTPS_PROXY, NO_PROXY) that is httpx's own, which knows how to use one.
    """
    parsed, proxies = httpx.URL(url), urllib.request.getproxies()
    proxy = proxies.get(parsed.scheme) or proxies.get("all")
    # a stand-in is never behind the machine's proxy
    if not proxy or parsed.host == "127.0.0.1" or urllib.request.proxy_bypass(parsed.host):
        return Direct()
    return httpx.AsyncHTTPTransport(proxy=proxy if "://" in proxy else f"http://{proxy}")


class Direct(httpx.AsyncBaseTransport):
    """HTTP/1.1 straight to the server, kept alive for IDLE_S. How many calls go at a time is the caller's to say.

    Raises what httpx's own transport raises: ConnectError and ConnectTimeout when nothing has been sent, else another
    httpx.TransportError.
    """

    def __init__(self, verify: ssl.SSLContext | None = None) -> None:
        self._verify = verify
        self._idle: dict[Origin, deque[tuple[Exchange, asyncio.TimerHandle]]] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """As httpx says; for all methods but CONNECT and HEAD."""
        timeout = request.extensions.get("timeout", {})
        url = request.url
        origin = url.scheme, url.raw_host.decode("ascii"), url.port or (443 if url.scheme == "https" else 80)
        head, chunked = _head(request), b"transfer-encoding" in {name.lower() for name, _ in request.headers.raw}
        exchange = self._taken(origin) or await self._connected(origin, timeout.get("connect"))
        assert isinstance(request.stream, httpx.AsyncByteStream)
        body = _in_chunks(request.stream) if chunked else aiter(request.stream)
        try:
            await exchange.send(head, body, timeout.get("write"))
            await exchange.head(timeout.get("read"))
        except BaseException:
            exchange.close()
            raise
        content = _Content(self, origin, exchange, timeout.get("read"))
        return httpx.Response(exchange.status, headers=exchange.headers, stream=content)

    async def aclose(self) -> None:
        """Close what is idle."""
        while self._idle:
            _, kept = self._idle.popitem()
            for exchange, expiry in kept:
                expiry.cancel()
                exchange.close()

    def give_back(self, origin: Origin, exchange: Exchange) -> None:
        """Keep the connection for the next request; one on which something is under way is closed."""
        if not exchange.open:
            exchange.close()
            return
        expiry = asyncio.get_running_loop().call_later(IDLE_S, exchange.close)
        self._idle.setdefault(origin, deque()).append((exchange, expiry))

    def _taken(self, origin: Origin) -> Exchange | None:
        """The connection that was used last, if it is still good; older ones that are not go."""
        kept = self._idle.get(origin)
        while kept:
            exchange, expiry = kept.pop()
            if exchange.open:
                expiry.cancel()
                while kept and not kept[0][0].open:  # the oldest expire first
                    kept.popleft()
                return exchange
        return None

    async def _connected(self, origin: Origin, connect_s: float | None) -> Exchange:
        scheme, host, port = origin
        secure = (self._verify or _system_trust()) if scheme == "https" else None
        try:
            async with asyncio.timeout(connect_s):
                _, exchange = await asyncio.get_running_loop().create_connection(Exchange, host, port, ssl=secure)
        except TimeoutError:
            raise httpx.ConnectTimeout(f"{host}:{port} cannot be reached within {connect_s} s") from None
        except OSError as error:
            raise httpx.ConnectError(f"{host}:{port}: {error}") from error
        return exchange


class _Content(httpx.AsyncByteStream):
    """An answer's content; when it has been read, or is not wanted any more, the connection goes back."""

    def __init__(self, transport: Direct, origin: Origin, exchange: Exchange, read_s: float | None) -> None:
        self._transport, self._origin, self._exchange, self._read_s = transport, origin, exchange, read_s
        self._closed = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._exchange.body(self._read_s)

    async def aclose(self) -> None:
        if not self._closed:
            self._closed = True
            self._transport.give_back(self._origin, self._exchange)


def _head(request: httpx.Request) -> bytes:
    """The request line and header fields. Raises httpx.LocalProtocolError for a line break in one of them."""
    lines = [b"%b %b HTTP/1.1" % (request.method.encode("ascii"), request.url.raw_path)]
    lines += [b"%b: %b" % field for field in request.headers.raw]
    head = b"\r\n".join([*lines, b"", b""])
    if head.count(b"\n") != len(lines) + 1 or head.count(b"\r") != len(lines) + 1 or b"\0" in head:
        raise httpx.LocalProtocolError("a header field holds a line break")
    return head


async def _in_chunks(stream: httpx.AsyncByteStream) -> AsyncIterator[bytes]:
    """RFC 9112 7.1."""
    async for chunk in stream:
        if chunk:
            yield b"%x\r\n%b\r\n" % (len(chunk), chunk)
    yield b"0\r\n\r\n"


@functools.cache
def _system_trust() -> ssl.SSLContext:
    """httpx's: the certificates that it brings, or those that SSL_CERT_FILE names. Made once, it takes a while."""
    return httpx.create_ssl_context()
