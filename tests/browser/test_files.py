"""Pictures and files on the visitor's page, on a whole hub: chosen, uploaded and shown, whatever comes in between."""

import base64
import io
import os
import random
import re
import struct
import wave
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from tests.browser.real_hub import Line, RealHub
from tests.browser.test_widget import expect_own, wait_for, write

Phone = Callable[..., BrowserContext]
Visitor = Callable[..., Page]

SHOTS = os.environ.get("SHOTS")
"""The folder for pictures of the pages, for whoever wants to look at them."""


@pytest.fixture(scope="module")
def hub(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealHub]:
    """One hub for all tests of this module; each has visitors of its own. Without a browser none is started."""
    with RealHub(tmp_path_factory.mktemp("hub")).running() as running:
        yield running


@pytest.fixture
def visitor(phone: Phone, hub: RealHub) -> Visitor:
    """Makes a visitor's page on a phone, connected."""

    def make(url: str = "", **options: object) -> Page:
        page = phone(**options).new_page()
        page.goto(f"{url or hub.url}/chat")
        page.get_by_text("发消息给我们").wait_for()
        return page

    return make


def png(width: int, height: int, rng: random.Random | None = None) -> bytes:
    """A picture: a gradient, or with `rng` noise, which no compression makes smaller."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    def row(y: int) -> bytes:
        if rng:
            return rng.randbytes(3 * width)
        return b"".join(bytes((40 + 180 * x // width, 120 + 80 * y // height, 190)) for x in range(width))

    rows = b"".join(b"\0" + row(y) for y in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(rows, 1 if rng else 9))
        + chunk(b"IEND", b"")
    )


BIG = png(1400, 1400, random.Random(7))
"""About 6 MB: more than the sockets on the way can hold."""


def file(name: str, body: bytes, type_: str = "image/png") -> Any:
    """A file as Playwright chooses it."""
    return {"name": name, "mimeType": type_, "buffer": body}


def choose(page: Page, *files: Any) -> None:
    """What the paper clip's button opens."""
    with page.expect_file_chooser() as opened:
        page.get_by_role("button", name="选择图片或文件").click()
    opened.value.set_files(list(files))


PASTE = """(field, {body = '', size = 0, type}) => {
    const bytes = size ? new Uint8Array(size) : Uint8Array.from(atob(body), (char) => char.charCodeAt(0));
    const data = new DataTransfer();
    data.items.add(new File([bytes], 'image.png', {type: 'image/png'}));
    const event = type === 'paste' ? new ClipboardEvent(type, {clipboardData: data, bubbles: true, cancelable: true})
        : new DragEvent(type, {dataTransfer: data, bubbles: true, cancelable: true});
    field.dispatchEvent(event);
}"""
"""Pastes or drops a file on an element: one with that `body`, or of that `size`."""


def messages(hub: RealHub, page: Page) -> list[dict[str, Any]]:
    """The visitor's messages as an agent reads them over the API."""
    token = page.evaluate("""() => new Promise(resolve => {
        indexedDB.databases().then(([{name}]) => {
            indexedDB.open(name).onsuccess = ({target}) => {
                const request = target.result.transaction('records').objectStore('records').get('outbox');
                request.onsuccess = () => resolve(request.result.visitor.conversation);
            };
        });
    })""")
    headers = {"authorization": f"Bearer {hub.admin_token}"}
    answer = httpx.get(f"{hub.url}/api/v1/conversations/{token}/messages", headers=headers, trust_env=False)
    return [event for event in answer.raise_for_status().json()["events"] if event["kind"] == "message"]


def sent(hub: RealHub, page: Page) -> list[str]:
    """What each message is: its text, or the names of its files."""
    return [m.get("text") or ",".join(each["name"] for each in m["files"]) for m in messages(hub, page)]


def expect_sent(hub: RealHub, page: Page, expected: list[str]) -> None:
    wait_for(lambda: sent(hub, page) == expected, page)
    assert sent(hub, page) == expected
    expect(page.locator(".pending")).to_have_count(0)


def pictures(page: Page) -> Locator:
    return page.locator(".picture img")


def expect_loaded(image: Locator) -> None:
    """The picture is there, not only its place."""
    wait_for(lambda: image.evaluate("image => image.naturalWidth") > 0, image.page)
    assert image.evaluate("image => image.naturalWidth") > 0


BARE = """image => {
    const bare = image.cloneNode();
    bare.removeAttribute('src');
    image.after(bare);
    const {opacity} = getComputedStyle(bare);
    bare.remove();
    return opacity;
}"""
"""How far a picture without an address can be seen, at that place."""


def shot(page: Page, name: str) -> None:
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"{name}.png")


def test_a_picture_is_seen_at_once_after_a_reload_and_by_the_agent(hub: RealHub, visitor: Visitor) -> None:
    page = visitor()
    choose(page, file("海边.png", png(640, 480)))
    expect_loaded(pictures(page))
    assert (pictures(page).get_attribute("src") or "").startswith("blob:"), "what is here is not fetched"
    expect_sent(hub, page, ["海边.png"])
    (attachment,) = messages(hub, page)[0]["files"]
    assert attachment["type"] == "image/png"
    page.reload()
    expect_loaded(pictures(page))
    expect(pictures(page)).to_have_attribute("src", re.compile("^http.*/files/"))
    shot(page, "picture")
    assert pictures(page).evaluate(BARE) == "0", "a picture whose link is not here yet does not look broken"
    page.get_by_role("button", name="图片：海边.png").click()
    large = page.get_by_role("dialog")
    expect(large.get_by_role("img").first).to_be_in_viewport()
    shot(page, "viewer")
    page.go_back()
    expect(large).to_have_count(0)
    page.get_by_role("button", name="图片：海边.png").click()
    page.keyboard.press("Escape")
    expect(large).to_have_count(0)
    expect(page.get_by_label("输入消息")).to_be_visible()


def test_several_files_are_one_message_and_a_file_can_be_fetched(hub: RealHub, visitor: Visitor) -> None:
    page = visitor()
    note = file("报价单 2026 年第四季度 最终版.txt", "一、羽绒服 399 元".encode(), "text/plain")
    choose(page, *(file(f"{n}.png", png(200 + n, 300)) for n in range(4)), note)
    expect_sent(hub, page, ["0.png,1.png,2.png,3.png,报价单 2026 年第四季度 最终版.txt"])
    for n in range(4):
        expect_loaded(pictures(page).nth(n))
    card = page.get_by_role("link", name="下载 报价单 2026 年第四季度 最终版.txt")
    expect(card).to_have_attribute("href", re.compile("/files/"))
    shot(page, "several")
    with page.expect_download() as fetched:
        card.click()
    assert Path(fetched.value.path()).read_text(encoding="utf-8") == "一、羽绒服 399 元"


def test_sound_can_be_played_from_here_and_from_the_hub(hub: RealHub, visitor: Visitor) -> None:
    body = io.BytesIO()
    with wave.open(body, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(2 * 8000 * 3))
    page = visitor()
    choose(page, file("留言.wav", body.getvalue(), "audio/wav"))
    player = page.get_by_label("语音：留言.wav")
    for source in ("blob:", hub.url):
        wait_for(lambda: player.evaluate("player => player.duration") == 3, page)
        assert player.evaluate("player => player.duration") == 3
        assert player.evaluate("player => player.currentSrc").startswith(source)
        expect_sent(hub, page, ["留言.wav"])
        page.reload()


@pytest.mark.parametrize("way", ["cut", "reload"])
def test_what_ends_an_upload_in_the_middle_loses_nothing(hub: RealHub, visitor: Visitor, way: str) -> None:
    with hub.line() as line:
        page = visitor(line.url)
        write(page, "先看图")
        expect_own(page, ["先看图"])
        _choose_and_stall(page, line)
        write(page, "看到了吗")
        page.wait_for_timeout(1000)
        assert sent(hub, page) == ["先看图"], "nothing overtakes a file"
        shot(page, f"uploading-{way}")
        line.stall_after = None
        if way == "cut":
            line.cut()
            line.mend()
        else:
            page.reload()
        expect_sent(hub, page, ["先看图", "大图.png", "看到了吗"])
        expect_loaded(pictures(page))


def _choose_and_stall(page: Page, line: Line) -> None:
    line.stall_after = 2_000_000
    choose(page, file("大图.png", BIG))
    wait_for(lambda: line.stalled > 0, page)
    assert line.stalled, "the upload is in the middle"


def test_what_is_chosen_offline_goes_out_in_its_turn(hub: RealHub, visitor: Visitor) -> None:
    with hub.line() as line:
        page = visitor(line.url)
        page.context.set_offline(True)
        line.cut()
        write(page, "一")
        choose(page, file("二.png", png(64, 64)))
        expect_loaded(pictures(page))
        write(page, "三")
        line.mend()
        page.context.set_offline(False)
        expect_sent(hub, page, ["一", "二.png", "三"])


def test_a_file_that_is_being_uploaded_can_be_withdrawn(hub: RealHub, visitor: Visitor) -> None:
    with hub.line() as line:
        page = visitor(line.url)
        _choose_and_stall(page, line)
        write(page, "不发图了")
        page.get_by_role("button", name="取消上传 大图.png").click()
        expect_sent(hub, page, ["不发图了"])
        expect(page.locator(".row.own .file")).to_have_count(0)


@pytest.mark.parametrize("size", [100, 5_000_000], ids=["short", "long"])
def test_a_page_that_is_named_like_a_picture_is_refused(hub: RealHub, visitor: Visitor, size: int) -> None:
    page = visitor()
    html = b"<!doctype html><script>window.hit = 1</script>".ljust(size)
    choose(page, file("照片.png", html), file("真的.png", png(64, 64)))
    write(page, "后面的话")
    expect_sent(hub, page, ["真的.png", "后面的话"])
    expect(page.get_by_text("不接收这种文件")).to_be_visible()
    assert page.evaluate("window.hit") is None
    page.reload()
    expect(page.get_by_text("不接收这种文件")).to_be_visible()
    shot(page, f"refused-{size}")
    page.get_by_role("button", name="移除 照片.png").click()
    expect(page.get_by_text("不接收这种文件")).to_have_count(0)


def test_a_file_that_is_too_big_is_refused_before_it_is_uploaded(hub: RealHub, visitor: Visitor) -> None:
    page = visitor()
    uploads: list[str] = []
    page.on("request", lambda request: uploads.append(request.url) if request.method == "PUT" else None)
    field = page.get_by_label("输入消息")
    field.evaluate(PASTE, {"size": 21_000_000, "type": "drop"})
    expect(page.get_by_text("文件超过 20 MB：请压缩或剪短后再发")).to_be_visible()
    assert uploads == []
    field.evaluate(PASTE, {"size": 53_000_000, "type": "drop"})
    expect(page.get_by_text("待发文件合计最多 50 MB")).to_be_visible()
    shot(page, "too-big")


def test_a_picture_can_be_pasted_and_dropped(hub: RealHub, visitor: Visitor) -> None:
    page = visitor(is_mobile=False, has_touch=False, viewport={"width": 900, "height": 640}, color_scheme="dark")
    field = page.get_by_label("输入消息")
    body = base64.b64encode(png(320, 240)).decode()
    field.evaluate(PASTE, {"body": body, "type": "paste"})
    expect_sent(hub, page, ["image.png"])
    field.evaluate(PASTE, {"body": body, "type": "dragenter"})
    shot(page, "dropping")
    field.evaluate(PASTE, {"body": body, "type": "drop"})
    expect_sent(hub, page, ["image.png", "image.png"])
    for picture in pictures(page).all():
        expect_loaded(picture)
    assert pictures(page).count() == 2, "the same picture twice is two pictures"
    shot(page, "dark")


def test_the_widget_on_another_origins_page_sends_and_shows_pictures(hub: RealHub, phone: Phone) -> None:
    with hub.shop() as url:
        page = phone().new_page()
        page.goto(url)
        page.get_by_role("button", name="联系客服").click()
        page.get_by_text("发消息给我们").wait_for()
        choose(page, file("花.png", png(300, 200)))
        expect_sent(hub, page, ["花.png"])
        page.reload()
        page.get_by_role("button", name="联系客服").click()
        expect_loaded(pictures(page))
        page.get_by_role("button", name="图片：花.png").click()
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog", name="图片：花.png")).to_have_count(0)
        expect(page.get_by_label("输入消息")).to_be_visible()
