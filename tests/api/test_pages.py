"""Static files, the stand-alone page, and the form of answers that are no answers."""

import re
from pathlib import Path

import pytest

from hub.api.pages import STATIC, StaticFiles
from hub.contract import Capabilities, Connector
from tests.api.world import World, problem_of


class Site(Connector):
    """A visitors' channel with pages in this test's own folder."""

    can = Capabilities(role="visitor", socket=True)
    static = "site"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    folder = tmp_path / "site"
    (folder / "parts").mkdir(parents=True)
    for name, text in {
        "chat.html": "<!doctype html>聊天",
        "chat.js": "export {}",
        "parts/style.css": "p {}",
        ".secret": "x",
        "icon.svg": "<svg/>",
    }.items():
        (folder / name).write_text(text, encoding="utf-8")
    (tmp_path / "settings.py").write_text("", encoding="utf-8")
    monkeypatch.setattr("hub.api.pages.inspect.getfile", lambda cls: str(tmp_path / "connector.py"))
    return Site(None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("path", "content_type", "body"),
    [
        ("/chat", "text/html; charset=utf-8", "<!doctype html>聊天"),
        ("/site/chat.html", "text/html; charset=utf-8", "<!doctype html>聊天"),
        ("/site/chat.js", "text/javascript; charset=utf-8", "export {}"),
        ("/site/parts/style.css", "text/css; charset=utf-8", "p {}"),
        ("/site/icon.svg", "image/svg+xml; charset=utf-8", "<svg/>"),
    ],
)
async def test_a_file_comes_with_its_type_and_is_asked_for_again(
    site: Site, path: str, content_type: str, body: str
) -> None:
    world = World(connectors={"site": site})
    answer = await world.ask("GET", path)
    assert (answer.status_code, answer.headers["content-type"], answer.text) == (200, content_type, body)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-cache"
    again = await world.ask("GET", path, headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", answer.headers["etag"])


async def test_a_page_runs_only_our_scripts(site: Site) -> None:
    world = World(connectors={"site": site})
    policy = (await world.ask("GET", "/chat")).headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self';" in policy
    assert "unsafe" not in policy
    assert "content-security-policy" not in (await world.ask("GET", "/site/chat.js")).headers


@pytest.mark.parametrize(
    "path",
    [
        "/site/.secret",
        "/site/../settings.py",
        "/site/%2e%2e/settings.py",
        "/site/..%2fsettings.py",
        "/site//etc/passwd",
        "/site/parts",
        "/other/chat.js",
        "/api/v2/health",
        "/nonsense",
    ],
)
async def test_nothing_else_is_served(site: Site, path: str) -> None:
    assert problem_of(await World(connectors={"site": site}).ask("GET", path))["status"] == 404


async def test_another_sites_page_may_load_the_widget(site: Site) -> None:
    answer = await World(connectors={"site": site}).ask("GET", "/site/chat.js", headers={"origin": "https://x.example"})
    assert answer.headers["access-control-allow-origin"] == "*"


async def test_the_root_leads_to_the_chat_where_there_is_one(site: Site) -> None:
    answer = await World(connectors={"site": site}).ask("GET", "/")
    assert (answer.status_code, answer.headers["location"]) == (302, "/chat")
    for path in ("/", "/chat"):
        assert problem_of(await World().ask("GET", path))["status"] == 404


def test_the_h5_channel_brings_the_chat_page() -> None:
    from connectors.h5.connector import CONNECTOR

    files = StaticFiles({"h5": CONNECTOR(CONNECTOR.Settings())})
    assert files.chat is not None
    assert b"/h5/chat.js" in files.chat.body
    assert files.get("/h5/chat.js") is not None


# --- the form of answers -------------------------------------------------------------------------------------------


async def test_a_wrong_method_is_a_problem_too() -> None:
    answer = await World().ask("DELETE", "/api/v1/health")
    assert problem_of(answer)["status"] == 405


async def test_our_own_mistakes_tell_nothing() -> None:
    def break_down() -> str:
        raise RuntimeError("the secret is 42")

    answer = await World(new_conversation_id=break_down).ask("POST", "/api/v1/visitors")
    assert problem_of(answer)["status"] == 500
    assert "42" not in answer.text


async def test_openapi_describes_the_api() -> None:
    answer = await World().ask("GET", "/api/v1/schema/openapi.json", "admin")
    paths = answer.json()["paths"]
    assert "post" in paths["/api/v1/visitors"]
    assert "get" in paths["/api/v1/conversations/{id}/messages"]
    assert "/chat" not in paths


@pytest.mark.parametrize(
    "path", ["/agent", "/agent/agent.js", "/agent/agent.css", "/client/session.js", "/client/style.css"]
)
async def test_the_page_of_agents_is_there_without_any_channel(path: str) -> None:
    assert (await World(connectors={}).ask("GET", path)).status_code == 200


async def test_the_page_of_agents_stands_in_no_frame() -> None:
    answer = await World(connectors={}).ask("GET", "/agent")
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


def test_every_module_that_a_page_imports_is_served() -> None:
    for file in STATIC.rglob("*.js"):
        for found in re.findall(r'from "([^"]+)"', file.read_text(encoding="utf-8")):
            assert (file.parent / found).is_file(), (file, found)
