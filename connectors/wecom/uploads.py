"""Files on their way to WeCom: each is uploaded once for all tries of its delivery, and may outlast some."""

import asyncio

import httpx

from connectors.wecom import media
from connectors.wecom.api import Api
from connectors.wecom.codec import Kind, NotSent
from connectors.wecom.media import Media
from hub.contract import Enclosed, Refused, Retry
from hub.errors import AttachmentDamaged, AttachmentsAway, NoAttachment

WAIT_S = 4.0
"""So long a delivery waits for its file; with the call that shows it, it has to end within 10 s."""
UPLOAD_S = 300.0
"""A file that takes longer is given up: what comes after it waits."""
REMEMBERED = 256
"""The latest deliveries: a repeat has to name the same media id, or the duplicate check would not know it."""


class Uploads:
    """One worker's, by the key of the delivery."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._tasks: dict[str, asyncio.Task[Media]] = {}

    def __contains__(self, key: str) -> bool:
        """Whether an earlier try has begun the upload."""
        return key in self._tasks

    async def get(self, key: str, file: Enclosed) -> Media:
        """The file as WeCom knows it. Raises NotSent, also while the upload is under way: it goes on meanwhile."""
        task = self._tasks.get(key) or self._begin(key, file)
        await asyncio.wait({task}, timeout=WAIT_S)
        if not task.done():
            raise NotSent(Retry("the file is still on its way to WeCom", 1))
        try:
            return task.result()
        except Exception:
            self.forget(key)  # the next try begins anew
            raise

    def forget(self, key: str) -> None:
        """Upload it anew when it is asked for again."""
        if task := self._tasks.pop(key, None):
            task.cancel()

    async def close(self) -> None:
        """Give up what is under way."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _begin(self, key: str, file: Enclosed) -> asyncio.Task[Media]:
        if len(self._tasks) >= REMEMBERED:
            oldest = next((known for known, task in self._tasks.items() if task.done()), None)
            if oldest is None:
                raise NotSent(Retry(f"{REMEMBERED} files are on their way to WeCom already", 5))
            self.forget(oldest)
        task = self._tasks[key] = asyncio.create_task(self._upload(file), name=f"upload-{key}")
        task.add_done_callback(_retrieved)
        return task

    async def _upload(self, file: Enclosed) -> Media:
        try:
            async with asyncio.timeout(UPLOAD_S):
                return await self._offer(file)
        except TimeoutError:
            raise NotSent(Refused(f"{file.name} could not be uploaded to WeCom within {UPLOAD_S:g} s")) from None
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise NotSent(Retry(f"WeCom cannot be reached ({type(error).__name__})", 1)) from error
        except httpx.HTTPError as error:
            raise NotSent(Retry(f"the upload to WeCom broke off ({type(error).__name__})", 5)) from error
        except AttachmentsAway as error:
            raise NotSent(Retry(f"the file cannot be read: {error}", 5)) from error
        except (NoAttachment, AttachmentDamaged) as error:
            raise NotSent(Refused(f"the file cannot be read: {error}")) from error

    async def _offer(self, file: Enclosed) -> Media:
        """As the kind that the phone shows best; what WeCom does not take as that goes as a plain file."""
        *better, plain = media.kinds(file.type, file.size)
        for kind in better:
            try:
                return await self._offer_as(kind, file)
            except NotSent as because:
                if isinstance(because.verdict, Retry):
                    raise
        return await self._offer_as(plain, file)

    async def _offer_as(self, kind: Kind, file: Enclosed) -> Media:
        answer = await self._api.upload(kind, file)
        return Media(kind, media.parse_upload(answer.status_code, answer.content))


def _retrieved(task: asyncio.Task[Media]) -> None:
    """An upload that failed after its delivery had given up waiting is no stray exception: the next try hears of it."""
    if not task.cancelled():
        task.exception()
