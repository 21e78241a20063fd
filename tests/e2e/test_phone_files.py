"""Pictures between a visitor and an agent's phone, through a whole hub: their bytes, their order and whose they are."""

import asyncio
import hashlib
import random
from typing import Any

import httpx

from connectors.h5.sandbox import Robot
from connectors.wecom.far_side import Bubble
from hub.demo.stage import Stage
from tests.e2e.test_whole_way import WANG, phone, type_on_phone, until
from tests.e2e.visitors import Visitors

PNG = b"\x89PNG\r\n\x1a\n" + random.Random(1).randbytes(700_000)
JPG = b"\xff\xd8\xff\xe0" + random.Random(2).randbytes(900_000)
PDF = b"%PDF-1.7\n" + random.Random(3).randbytes(3_000_000)


class Page:
    """A visitor's page that sends and shows files."""

    def __init__(self, stage: Stage, http: httpx.AsyncClient, robot: Robot) -> None:
        self._stage, self._http, self.robot = stage, http, robot
        self._headers = {"authorization": f"Bearer {robot._token}"}
        self._files = f"{stage.url}/api/v1/conversations/{robot.conversation}/files"
        self._claims: dict[str, str] = {}
        self._write, robot._write = robot._write, self._with_files  # type: ignore[method-assign]

    async def send(self, text: str, name: str, content: bytes) -> None:
        """Upload the file, then write a text with it."""
        ticket = await self._ask(self._files, {"name": name, "size": len(content)})
        kept = await self._http.put(self._stage.url + ticket["url"], content=content)
        self._claims[f"{self.robot._tab}.{len(self.robot.sent) + 1}"] = kept.raise_for_status().json()["claim"]
        self.robot.say(text)
        await self.robot.settled()

    async def download(self, key: str) -> bytes:
        path = (await self._ask(f"{self._files}/links", {"keys": [key]}))[key]
        return (await self._http.get(self._stage.url + path)).raise_for_status().content

    async def answered(self, count: int) -> list[dict[str, Any]]:
        """The answers, once there are so many."""
        await self.robot.until(lambda: len(self._answers()) >= count)
        return self._answers()

    def _answers(self) -> list[dict[str, Any]]:
        return [event for event in self.robot.history.shown if event["kind"] == "answer"]

    def _with_files(self, frame: dict[str, Any]) -> None:
        claim = self._claims.get(frame.get("id", ""))
        self._write(frame | {"files": [claim]} if claim else frame)

    async def _ask(self, url: str, body: object) -> Any:
        return (await self._http.post(url, json=body, headers=self._headers)).raise_for_status().json()


async def shown_files(stage: Stage, count: int) -> list[Any]:
    """What the phone has shown, once so many files are among it."""
    async with asyncio.timeout(60):
        while True:
            shown: list[Bubble] = await stage.stand_in.texts(WANG)  # type: ignore[assignment]
            if sum(bubble.file is not None for bubble in shown) >= count:
                return shown
            await asyncio.sleep(0.05)


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


async def opened(stage: Stage, visitors: Visitors, http: httpx.AsyncClient) -> Page:
    """A conversation that is Wang's, who has chosen it."""
    (robot,) = await visitors.come(1)
    page = Page(stage, http, robot)
    robot.say("这款有货吗？想买一件")
    await robot.settled()
    await type_on_phone(stage, WANG, "上班")
    await phone(stage, WANG, "这款有货吗")
    await type_on_phone(stage, WANG, "#1 您好")
    await page.answered(1)
    return page


async def test_a_visitors_picture_follows_the_text_that_names_it_and_is_the_same(
    stage: Stage, visitors: Visitors, http: httpx.AsyncClient
) -> None:
    page = await opened(stage, visitors, http)
    await page.send("就是这双", "鞋.png", PNG)
    await page.send("", "发票.pdf", PDF)
    shown = await shown_files(stage, 2)
    places = [n for n, bubble in enumerate(shown) if bubble.file is not None]
    assert [shown[n].file.sha256 for n in places] == [digest(PNG), digest(PDF)]
    assert [(shown[n].file.kind, shown[n].file.name) for n in places] == [("image", "鞋.png"), ("file", "发票.pdf")]
    assert "就是这双" in shown[places[0] - 1].text
    assert "[鞋.png]" in shown[places[0] - 1].text
    assert "[发票.pdf]" in shown[places[1] - 1].text


async def test_the_agents_picture_is_an_answer_with_the_file(
    stage: Stage, visitors: Visitors, http: httpx.AsyncClient
) -> None:
    page = await opened(stage, visitors, http)
    for kind, content in (("image", JPG), ("file", PDF)):
        _, taken = stage.stand_in.say(WANG, kind, "", content=content, name="any name")  # type: ignore[call-arg]
        assert await taken
    await type_on_phone(stage, WANG, "请看")
    _, picture, paper, after = await page.answered(4)
    assert after["text"] == "请看", "what was written after a file comes after it"
    for answer, name, type_, content in (
        (picture, "image.jpg", "image/jpeg", JPG),
        (paper, "file.pdf", "application/pdf", PDF),
    ):
        (file,) = answer["files"]
        assert (answer.get("text", ""), file["name"], file["type"], file["size"]) == ("", name, type_, len(content))
        assert await page.download(file["key"]) == content


async def test_pictures_pass_while_tokens_run_out_and_wecom_falters(
    stage: Stage, visitors: Visitors, http: httpx.AsyncClient
) -> None:
    page = await opened(stage, visitors, http)
    sandbox: Any = stage.stand_in
    sandbox.far_side.expire_tokens()
    with sandbox.faulty(media_502=True):
        await page.send("", "鞋.png", PNG)
        _, taken = sandbox.say(WANG, "image", content=JPG)
        assert await taken, "WeCom has its answer before the file is fetched"
        await phone(stage, WANG, "[鞋.png]")
        await until(lambda: all(line in stage.log.read_text("utf-8") for line in ("not fetched", "502 to the file")))
    sandbox.far_side.expire_tokens()
    shown = await shown_files(stage, 1)
    assert digest(PNG) in [bubble.file.sha256 for bubble in shown if bubble.file]
    _, picture = await page.answered(2)
    assert await page.download(picture["files"][0]["key"]) == JPG
