"""The H5 channel: what a page says of itself, its settings, the robot's ledger, and the widget's own unit tests."""

import json
import random
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.h5 import codec
from connectors.h5.connector import CONNECTOR, H5Settings
from connectors.h5.sandbox import History, Robot, RobotStopped, backoff
from hub.contract import Raw
from hub.domain.messages import Profile
from tests.browser.protocol_server import ProtocolServer

HERE = Path(__file__).parent
CLIENT = HERE.parents[1] / "hub" / "api" / "static" / "client"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 "
    "MicroMessenger/8.0.50(0x18003231) NetType/WIFI Language/zh_CN"
)
DESKTOP = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0 Safari/537.36"


# --- the codec -----------------------------------------------------------------------------------------------------


def test_a_mint_request_becomes_a_profile() -> None:
    body = {"page": "https://shop.example/a?b=1", "referrer": "", "language": "zh-CN", "name": "张三", "new": 1}
    assert codec.read_profile(json.dumps(body).encode(), IPHONE) == Profile(
        channel="h5", name="张三", language="zh-CN", page="https://shop.example/a?b=1", device="iPhone, WeChat"
    )


def test_a_visitor_may_say_nothing_of_themselves() -> None:
    assert codec.read_profile(b"", "") == Profile(channel="h5")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"[]", "Expected `object`, got `array`"),
        (b'{"name": 7}', "Expected `str`, got `int` - at `$.name`"),
        (b"{", "Input data was truncated"),
        (b'{"name": "\xff"}', "'utf-8' codec can't decode byte 0xff"),
    ],
)
def test_what_is_no_mint_request_is_named(body: bytes, said: str) -> None:
    with pytest.raises(ValueError, match="docs/protocol.md describes: " + re.escape(said)):
        codec.read_profile(body, "")


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("  张\u0000三\r\n", "张 三"),
        ("\u202e【#12】\u2066x", "【#12】x"),
        ("a\u2028b\u2029c\td", "a b c d"),
        ("👩‍🚀 Ada", "👩‍🚀 Ada"),
        ("长" * 100, "长" * 64),
    ],
)
def test_a_name_is_one_short_line(name: str, kept: str) -> None:
    assert codec.clean_text(name, codec.MAX_NAME) == kept


@given(st.text(max_size=500))
def test_no_text_gets_through_with_control_characters_or_too_long(text: str) -> None:
    kept = codec.clean_text(text, 40)
    assert len(kept) <= 40
    assert not set(kept) & codec.BIDI
    assert not re.search("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]", kept)
    assert codec.clean_text(kept, 40) == kept


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://shop.example/x", "https://shop.example/x"),
        ("javascript:alert(1)", ""),
        ("https://", ""),
        ("http://[", ""),
        ("//shop.example", ""),
    ],
)
def test_only_web_addresses_are_kept(url: str, kept: str) -> None:
    assert codec.clean_url(url) == kept


@pytest.mark.parametrize(
    ("tag", "kept"), [("zh-Hans-CN", "zh-Hans-CN"), ("en", "en"), ("zh CN", ""), ("x" * 40, ""), ("en\n", "")]
)
def test_only_language_tags_are_kept(tag: str, kept: str) -> None:
    assert codec.clean_language(tag) == kept


@pytest.mark.parametrize(
    ("user_agent", "device"),
    [(IPHONE, "iPhone, WeChat"), (DESKTOP, "Windows, Chrome"), ("curl/8.5.0", "curl/8.5.0"), ("", "")],
)
def test_a_device_is_named_as_people_name_it(user_agent: str, device: str) -> None:
    assert codec.device(user_agent) == device


# --- the settings --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("https://shop.example", True),
        ("https://SHOP.example", True),
        ("https://hub.example", True),
        ("", True),
        ("https://evil.example", False),
        ("http://shop.example", False),
        ("null", False),
    ],
)
def test_pages_of_allowed_origins_and_the_hubs_own_may_talk(origin: str, allowed: bool) -> None:
    h5 = CONNECTOR(H5Settings.model_validate({"origins": ["https://Shop.example/"]}))
    assert h5.allows(origin, "https://hub.example") is allowed


def test_by_default_every_page_may_embed_the_widget() -> None:
    assert CONNECTOR(H5Settings()).allows("https://any.example", "https://hub.example")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"origins": ["shop.example"]}, "'shop.example' is no origin: write it like \"https://shop.example.com\""),
        ({"origins": ["https://shop.example/path"]}, "is no origin"),
        ({"colour": "red"}, "String should match pattern"),
        ({"color": "#ffffff"}, "Extra inputs are not permitted"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, object], said: str) -> None:
    with pytest.raises(pydantic.ValidationError, match=re.escape(said)):
        H5Settings.model_validate(settings)


def test_the_widget_is_told_its_looks() -> None:
    h5 = CONNECTOR(H5Settings.model_validate({"title": {"zh": "花店客服"}, "colour": "#7a1f5c"}))
    answer = h5.parse(Raw("GET", {}, {}, b"", 0, "looks")).answer
    assert json.loads(answer.body) == {
        "title": {"zh": "花店客服", "en": ""},
        "greeting": {"zh": "", "en": ""},
        "colour": "#7a1f5c",
    }
    assert answer.content_type == "application/json"


# --- the robot -----------------------------------------------------------------------------------------------------


def event(seq: int, prev: int) -> dict[str, object]:
    return {"t": "event", "kind": "answer", "seq": seq, "prev": prev, "text": f"text {seq}"}


@given(st.permutations([event(seq, seq - 2) for seq in range(2, 24, 2)] * 2))
def test_a_history_shows_each_event_once_and_in_order(events: list[dict[str, object]]) -> None:
    history = History()
    for each in events:
        history.merge([each])
    assert [each["seq"] for each in history.shown] == list(range(2, 24, 2))
    assert history.hole() is None


def test_a_history_shows_nothing_after_a_hole_until_it_is_filled() -> None:
    history = History()
    history.merge([event(2, 0), event(6, 4)])
    assert [each["seq"] for each in history.shown] == [2]
    assert history.hole() == (2, 6)
    history.fill({"after": 2, "before": 6, "events": [event(4, 2)], "more": False})
    assert [each["seq"] for each in history.shown] == [2, 4, 6]


def test_the_wait_before_a_reconnect_is_between_half_a_second_and_thirty() -> None:
    rng = random.Random(1)
    waits = [backoff(tries, rng) for tries in range(12) for _ in range(50)]
    assert min(waits) == 0.5
    assert 20 < max(waits) <= 30


@pytest.fixture
def hub() -> Iterator[ProtocolServer]:
    with ProtocolServer().running() as server:
        yield server


@pytest.fixture
async def robot(hub: ProtocolServer) -> AsyncIterator[Robot]:
    async with httpx.AsyncClient() as http:
        robot = Robot(hub.url, http=http, rng=random.Random(7), name="张三")
        await robot.start()
        yield robot
        await robot.stop()


async def test_a_robot_comes_back_after_cuts_and_its_ledger_agrees_with_the_hub(
    hub: ProtocolServer, robot: Robot
) -> None:
    for number in range(30):
        robot.say(f"text {number}")
        if number % 10 == 5:
            await robot.until(lambda: robot.live)
            robot.cut()
    await robot.settled()
    assert hub.texts() == [f"text {number}" for number in range(30)]
    assert [each["text"] for each in robot.history.shown] == hub.texts()
    assert [entry.seq for entry in robot.sent] == [each["seq"] for each in robot.history.shown]
    assert robot.reconnects >= 3


async def test_a_robot_fetches_what_it_missed(hub: ProtocolServer, robot: Robot) -> None:
    robot.say("hello")
    await robot.settled()
    for number in range(120):
        hub.lose("answer", by="小王", text=f"lost {number}")
    hub.tell("answer", by="小王", text="pushed")
    await robot.until(lambda: robot.history.hole() is None and len(robot.history.shown) == 122)
    assert [each["text"] for each in robot.history.shown][1:3] == ["lost 0", "lost 1"]


async def test_a_robot_knows_what_was_held(robot: Robot) -> None:
    held, plain = robot.say("a [held] text"), robot.say("a plain one")
    await robot.settled()
    assert (held.status, plain.status) == ("held", "")
    assert held.acked_at >= held.sent_at


async def test_a_robot_that_is_sent_away_says_so(hub: ProtocolServer, robot: Robot) -> None:
    await robot.until(lambda: robot.live)
    hub.cut(4505)
    with pytest.raises(RobotStopped, match="with 4505: coming back will not help"):
        await robot.until(lambda: False)
    with pytest.raises(RobotStopped):
        await robot.stop()
    robot._running = None


# --- the widget ----------------------------------------------------------------------------------------------------


def test_the_widgets_modules_pass_their_own_tests() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed: the widget's unit tests (connectors/h5/units) need its test runner")
    served = (HERE / "units" / "served.mjs").as_uri()
    files = sorted(str(file) for file in (HERE / "units").glob("*.test.mjs"))
    run = subprocess.run(
        [node, f"--import={served}", "--test", *files], capture_output=True, text=True, timeout=120, check=False
    )
    assert run.returncode == 0, run.stdout[-6000:] + run.stderr[-2000:]
    assert "# pass 0" not in run.stdout


@pytest.mark.parametrize("file", sorted([*(HERE / "static").iterdir(), *CLIENT.iterdir()]), ids=lambda file: file.name)
def test_the_widget_needs_nothing_from_elsewhere(file: Path) -> None:
    """No address of another server, no markup from text, no inline style or script: a strict CSP lets all of it run."""
    text = file.read_text()
    assert set(re.findall(r"https?://[\w.-]+", text)) - {"http://www.w3.org", "https://hub"} == set()
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|style=\"", text)
