"""What an agent types on their phone, by what it shows."""

import asyncio
from typing import cast

from hub.demo.lines import Phone, Said
from hub.demo.sabotage import Sabotage
from hub.demo.stage import StandIn

ASKED = "发给谁？「您好」\n#7 张三 · #8 李四\n回复 #号 即可，取消 则不发"


class App:
    """Notes what is typed, and shows at once that a number was chosen."""

    def __init__(self) -> None:
        self.typed: list[str] = []
        self.phone = Phone("wangfang", cast(StandIn, self), Sabotage(None, []))

    def say(self, user: str, kind: str, text: str) -> tuple[None, asyncio.Task[bool]]:
        self.typed.append(text)
        if text.startswith("#") and " " not in text:
            self.phone.read(f"→ {text} 张三")
        return None, asyncio.ensure_future(asyncio.sleep(0, result=True))


async def test_half_of_the_answers_go_by_number_and_half_by_choice() -> None:
    app = App()
    app.phone.read("新会话 #7 张三（售前）")
    for text, by_number in (("一", True), ("二", False)):
        assert await app.phone.turn_to(7)
        assert await app.phone.answer(7, text) == Said(True, by_number)
    assert app.typed == ["#7 一", "#7", "二"]


async def test_while_the_phone_asks_whom_texts_are_for_nobody_is_chosen() -> None:
    app = App()
    app.phone.read("新会话 #7 张三（售前）\n新会话 #8 李四（售前）")
    await app.phone.answer(7, "一")
    app.phone.read(ASKED)
    assert not await app.phone.turn_to(8)
    assert await app.phone.cancel()
    assert await app.phone.turn_to(8)
    assert app.typed == ["#7 一", "取消", "#8"]
