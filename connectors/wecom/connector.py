"""WeCom as a channel: callbacks of a self-built app in, its message/send out, files both ways."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pydantic

from connectors.tencent.envelope import Envelope
from connectors.wecom import codec, media
from connectors.wecom.api import Api
from connectors.wecom.uploads import Uploads
from hub.contract import (
    Capabilities,
    Connector,
    Delivery,
    FileLimit,
    Parsed,
    Raw,
    Refused,
    Retry,
    Route,
    Surroundings,
    Unknown,
    Verdict,
)

DEADLINE_S = 9.0
"""For all of one delivery; the hub allows 10."""


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
        files=(FileLimit("*/*", media.MOST_BYTES),),
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
        self._api = Api(self._base_url, self._corp_id, self._agent_id, self._secret, surroundings.tokens)
        self._uploads = Uploads(self._api)

    async def stop(self) -> None:
        await self._uploads.close()
        await self._api.close()

    async def upkeep(self) -> None:
        await self._api.token()

    def verify(self, raw: Raw) -> None:
        codec.verify(raw, self._envelope)

    def parse(self, raw: Raw) -> Parsed:
        if raw.method == "GET":
            return codec.parse_check(raw, self._envelope)
        return codec.parse_callback(raw, self._envelope, self._agent_id)

    def fetch(self, source: str) -> AsyncIterator[bytes]:
        """The file of a callback, by its media id. Raises NotThere; also NotGiven, NotSent and httpx.HTTPError."""
        return self._api.download(source)

    async def deliver(self, delivery: Delivery) -> Verdict:
        if not codec.is_member(delivery.address):
            return Refused(f"{delivery.address!r} is no WeCom userid: correct the address", unreachable=True)
        was_uploaded = delivery.key in self._uploads
        try:
            async with asyncio.timeout(DEADLINE_S):
                answer = await self._api.send(await self._compose(delivery))
        except codec.NotSent as not_sent:
            return not_sent.verdict
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            return Retry(f"WeCom cannot be reached ({type(error).__name__})", 1)
        except (httpx.HTTPError, TimeoutError) as error:
            return Unknown(f"no answer from WeCom ({type(error).__name__})")
        if was_uploaded and codec.is_media_gone(answer.content):  # of one just uploaded it is an answer for good
            self._uploads.forget(delivery.key)
            return Retry(f"WeCom does not know the file any more ({codec.MEDIA_GONE})", 1)
        return codec.verdict(answer.status_code, answer.content, delivery.address)

    async def _compose(self, delivery: Delivery) -> bytes:
        """The body of message/send. A file, which comes alone (`can.files_with_text`), has been uploaded then."""
        if not delivery.files:
            return codec.compose_text(delivery, self._agent_id)
        (file,) = delivery.files
        media.check(file)
        kind, media_id = await self._uploads.get(delivery.key, file)
        return codec.compose_file(delivery, self._agent_id, kind, media_id)


CONNECTOR = WeCom
