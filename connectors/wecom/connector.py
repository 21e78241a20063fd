"""WeCom as a channel: callbacks of a self-built app in, its message/send out."""

import asyncio

import httpx
import pydantic

from connectors.tencent.client import open_client
from connectors.tencent.envelope import Envelope
from connectors.wecom import codec
from hub.contract import (
    Capabilities,
    Connector,
    Delivery,
    Parsed,
    Raw,
    Refused,
    Retry,
    Route,
    Surroundings,
    Token,
    Unknown,
    Verdict,
)

TOKEN_S, DEADLINE_S = 4.0, 9.0
"""For the access token, and for all of one delivery; the hub allows 10."""

_JSON = {"content-type": "application/json; charset=utf-8"}


class WeComSettings(pydantic.BaseModel, frozen=True, extra="forbid"):
    """`channels.wecom` in config/hub.yaml; all but `base_url` are copied from the WeCom console."""

    corp_id: str = pydantic.Field(min_length=1)
    agent_id: int
    secret: pydantic.SecretStr
    token: pydantic.SecretStr
    aes_key: pydantic.SecretStr
    base_url: str = pydantic.Field("https://qyapi.weixin.qq.com", pattern=r"^https?://[^/?#]+$")

    @pydantic.field_validator("aes_key")
    @classmethod
    def _is_aes_key(cls, key: pydantic.SecretStr) -> pydantic.SecretStr:
        text = key.get_secret_value()
        if len(text) != 43 or not text.isascii() or not text.isalnum():
            raise ValueError("an EncodingAESKey has 43 letters and digits; copy it again from the console")
        return key


class WeCom(Connector):
    """Agents on their phones."""

    Settings = WeComSettings
    can = Capabilities(
        role="agent",
        max_text=2048,
        fold_ms=3000,
        # WeCom drops above 30 and 1,000 in silence
        per_minute=25,
        per_hour=900,
        recognises="text",
        recognises_s=codec.DUPLICATE_CHECK_S,
    )
    routes = (Route("callback", ("GET", "POST")),)

    def __init__(self, settings: WeComSettings) -> None:
        super().__init__(settings)
        self._corp_id = settings.corp_id
        self._agent_id = settings.agent_id
        self._secret = settings.secret.get_secret_value()
        self._envelope = Envelope(
            settings.token.get_secret_value(), settings.aes_key.get_secret_value(), settings.corp_id
        )
        self._base_url = settings.base_url

    async def start(self, surroundings: Surroundings) -> None:
        self._tokens = surroundings.tokens
        self._http = open_client(self._base_url)

    async def stop(self) -> None:
        await self._http.aclose()

    async def upkeep(self) -> None:
        await self._token()

    def parse(self, route: str, raw: Raw) -> Parsed:
        if raw.method == "GET":
            return codec.parse_check(raw, self._envelope)
        return codec.parse_callback(raw, self._envelope, self._agent_id)

    async def deliver(self, delivery: Delivery) -> Verdict:
        if not codec.is_member(delivery.address):
            return Refused(f"{delivery.address!r} is no WeCom userid: correct the address", unreachable=True)
        body = codec.compose_send(delivery, self._agent_id)
        try:
            async with asyncio.timeout(DEADLINE_S):
                token = await self._token()
                answer = await self._post(token, body)
                if codec.is_token_spent(answer.content):
                    answer = await self._post(await self._token(spent=token), body)
        except codec.TokenRefused as refused:
            return refused.verdict
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            return Retry(f"WeCom cannot be reached ({type(error).__name__})", 1)
        except (httpx.HTTPError, TimeoutError) as error:
            return Unknown(f"no answer from WeCom ({type(error).__name__})")
        return codec.verdict(answer.status_code, answer.content, delivery.address)

    async def _post(self, token: str, body: bytes) -> httpx.Response:
        return await self._http.post(
            "/cgi-bin/message/send", params={"access_token": token}, content=body, headers=_JSON
        )

    async def _token(self, spent: str = "") -> str:
        try:
            async with asyncio.timeout(TOKEN_S):
                return await self._tokens.get(f"wecom.{self._corp_id}.{self._agent_id}", self._fetch_token, spent=spent)
        except codec.TokenRefused:
            raise
        except Exception as error:  # whatever kept the token away, nothing has been sent: the text waits
            raise codec.TokenRefused(Retry(f"no access token from WeCom ({type(error).__name__})", 5)) from error

    async def _fetch_token(self) -> Token:
        answer = await self._http.get("/cgi-bin/gettoken", params={"corpid": self._corp_id, "corpsecret": self._secret})
        return codec.parse_token(answer.status_code, answer.content)


CONNECTOR = WeCom
