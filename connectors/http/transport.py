"""How httpx reaches a platform: over aiohttp's connections, because httpx's own take ten times the core time.

httpx's pool looks at all of its connections, with a system call each, at the beginning and at the end of every
request. The package httpx-aiohttp bridges the two as well, but gives a connection that broke after the request had
gone out as one that was never made (`httpx.ConnectTimeout`): whoever repeats it would send twice.
"""

import os
import ssl
import urllib.request
from collections.abc import AsyncIterator

import aiohttp
import httpx
import yarl

IDLE_S = 2.0
"""Many servers close an idle connection after 5 s; a request that meets the closing would have an unknown outcome."""


class Transport(httpx.AsyncBaseTransport):
    """The way to the server of `url`, for an httpx.AsyncClient or to hand requests to. HTTP/1.1, kept alive for IDLE_S.

    Uses the proxy that the environment names (HTTPS_PROXY, NO_PROXY). How many calls go at a time is the caller's to
    say. Raises what httpx's own transport raises: ConnectError and ConnectTimeout only where nothing has been sent,
    else another httpx.TransportError. None of them holds the address, for a token may be part of it. How long the
    server may take none of a request is the caller's to limit.
    """

    def __init__(self, url: str, verify: ssl.SSLContext | None = None) -> None:
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE_S, ssl=verify or httpx.create_ssl_context())
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,  # httpx does
            proxy=_proxy(httpx.URL(url)),
            skip_auto_headers=("accept", "accept-encoding", "user-agent", "content-type"),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """As httpx says."""
        timeout = request.extensions.get("timeout", {})
        body = _Body(request)
        try:
            answer = await self._session.request(
                request.method,
                yarl.URL(str(request.url), encoded=True),
                headers=[
                    (name.decode("latin-1"), value.decode("latin-1"))
                    for name, value in request.headers.raw
                    if name.lower() != b"transfer-encoding"  # aiohttp's to say
                ],
                data=body.content,
                allow_redirects=False,
                # of name, connection, proxy and TLS together; sock_connect would be of the connection only
                timeout=aiohttp.ClientTimeout(connect=timeout.get("connect"), sock_read=timeout.get("read")),
            )
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            failure = body.failure or _translated(error)
        else:
            return httpx.Response(answer.status, headers=answer.raw_headers, stream=_Content(answer))
        raise failure  # out here, or aiohttp's error would come along, with the address

    async def aclose(self) -> None:
        """Close all connections."""
        await self._session.close()


class _Body:
    """What a request sends. `failure`: why it could not be read, which aiohttp would tell as one of the connection."""

    def __init__(self, request: httpx.Request) -> None:
        self.failure: Exception | None = None
        stream = request.stream
        self.content = b"".join(stream) if isinstance(stream, httpx.ByteStream) else self._chunks(stream)

    async def _chunks(self, stream: httpx.SyncByteStream | httpx.AsyncByteStream) -> AsyncIterator[bytes]:
        assert isinstance(stream, httpx.AsyncByteStream)
        try:
            async for chunk in stream:
                yield chunk
        except Exception as error:
            self.failure = error
            raise


class _Content(httpx.AsyncByteStream):
    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._answer.content.iter_any():
                yield chunk
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            failure = _translated(error)
        else:
            return
        raise failure

    async def aclose(self) -> None:
        self._answer.release() if self._answer.content.at_eof() else self._answer.close()


def _proxy(url: httpx.URL) -> str | None:
    """The proxy that the environment names for `url`."""
    named = urllib.request.getproxies()
    proxy = named.get(url.scheme) or named.get("all")
    # a stand-in is never behind the machine's proxy
    if not proxy or url.host == "127.0.0.1" or urllib.request.proxy_bypass(url.host):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _translated(error: Exception) -> httpx.TransportError:
    """The same in httpx's words. Only the first two say that nothing was sent."""
    said = f"{type(error).__name__}: {_words(error)}".removesuffix(": ")
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return httpx.ConnectTimeout(said)
    # a proxy that refuses CONNECT has let nothing pass
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ClientHttpProxyError | aiohttp.InvalidURL):
        return httpx.ConnectError(said)
    if isinstance(error, TimeoutError):
        return httpx.ReadTimeout(said)
    if isinstance(error, ValueError) and not isinstance(error, aiohttp.ClientError):
        return httpx.LocalProtocolError(said)
    if isinstance(error, aiohttp.ClientOSError | OSError):
        return httpx.ReadError(said)
    return httpx.RemoteProtocolError(said)


def _words(error: Exception) -> str:
    """What aiohttp says of it, where that never holds the address."""
    if isinstance(error, aiohttp.ClientResponseError):
        return f"{error.status} {error.message}"
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ClientPayloadError):
        return str(error)
    if isinstance(error, OSError):
        return os.strerror(error.errno) if error.errno else ""
    return "" if isinstance(error, aiohttp.ClientError) else str(error)
