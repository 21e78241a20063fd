"""The calls of WeCom's API that the hub makes, over HTTP."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx

from connectors.tencent.client import open_client
from connectors.wecom import codec, media
from connectors.wecom.codec import Kind
from hub.contract import Enclosed, Refused, Retry, Token, Tokens

TOKEN_S = 4.0
MOST_ERROR_BYTES = 65_536

_JSON = {"content-type": "application/json; charset=utf-8"}


class Api:
    """One app's; each call has a live access token. One that WeCom calls spent is renewed once, and the call repeated.

    Every method raises codec.NotSent when there is no token, and httpx.HTTPError.
    """

    def __init__(self, base_url: str, corp_id: str, agent_id: int, secret: str, tokens: Tokens) -> None:
        self._corp_id, self._secret, self._tokens = corp_id, secret, tokens
        self._token_name = f"wecom.{corp_id}.{agent_id}"
        self._http = open_client(base_url)

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def token(self, spent: str = "") -> str:
        """The access token; another than `spent`."""
        try:
            async with asyncio.timeout(TOKEN_S):
                return await self._tokens.get(self._token_name, self._fetch_token, spent=spent)
        except codec.NotSent:
            raise
        except Exception as error:  # whatever kept the token away, nothing has been sent: the text waits
            raise codec.NotSent(Retry(f"no access token from WeCom ({type(error).__name__})", 5)) from error

    async def send(self, body: bytes) -> httpx.Response:
        """The answer to message/send."""

        async def post(token: str) -> httpx.Response:
            return await self._http.post(
                "/cgi-bin/message/send", params={"access_token": token}, content=body, headers=_JSON
            )

        return await self._with_token(post)

    async def upload(self, kind: Kind, file: Enclosed) -> httpx.Response:
        """The answer to media/upload. The file is never in memory as a whole. Raises what `file.read` raises."""
        boundary = secrets.token_hex(16)  # nobody can put it into a file
        head, tail = media.frame(file.name, file.type, boundary)

        async def content() -> AsyncIterator[bytes]:
            yield head
            left = file.size
            async for chunk in file.read():
                left -= len(chunk)
                if left < 0:
                    break
                yield chunk
            if left:
                raise codec.NotSent(Refused(f"{file.name} has not the {file.size:,} bytes that it should have"))
            yield tail

        headers = {
            "content-type": f"multipart/form-data; boundary={boundary}",
            "content-length": str(len(head) + file.size + len(tail)),
        }

        async def post(token: str) -> httpx.Response:
            params = {"access_token": token, "type": kind}
            return await self._http.post("/cgi-bin/media/upload", params=params, content=content(), headers=headers)

        return await self._with_token(post)

    async def download(self, media_id: str) -> AsyncIterator[bytes]:
        """The file, as it comes. Raises media.NotGiven too."""
        spent = ""
        while True:
            token = await self.token(spent)
            params = {"access_token": token, "media_id": media_id}
            async with self._http.stream("GET", "/cgi-bin/media/get", params=params) as answer:
                if media.is_file(answer.status_code, answer.headers):
                    async for chunk in answer.aiter_bytes():
                        yield chunk
                    return
                body = await _beginning(answer)
            if spent or not codec.is_token_spent(body):
                raise media.not_given(answer.status_code, body)
            spent = token

    async def _with_token(self, ask: Callable[[str], Awaitable[httpx.Response]]) -> httpx.Response:
        token = await self.token()
        answer = await ask(token)
        if codec.is_token_spent(answer.content):
            answer = await ask(await self.token(spent=token))
        return answer

    async def _fetch_token(self) -> Token:
        answer = await self._http.get("/cgi-bin/gettoken", params={"corpid": self._corp_id, "corpsecret": self._secret})
        return codec.parse_token(answer.status_code, answer.content)


async def _beginning(answer: httpx.Response) -> bytes:
    """As much of the answer as an error of WeCom's could need."""
    body = bytearray()
    async for chunk in answer.aiter_bytes():
        body += chunk
        if len(body) > MOST_ERROR_BYTES:
            break
    return bytes(body[:MOST_ERROR_BYTES])
