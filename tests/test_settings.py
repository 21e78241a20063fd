"""Settings from file and variables; what is wrong is named with its place and the nearest right name."""

from pathlib import Path
from typing import Any

import pydantic
import pytest

from hub.bus.attachment_stream import MAX_BYTES
from hub.errors import SettingsError
from hub.settings import Media, Settings, load, split_address

ROOT = Path(__file__).parent.parent


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path("hub.yaml")


def load_text(file: Path, text: str, **environ: str) -> Settings:
    file.write_text(text, encoding="utf-8")
    return load(file, environ)


def test_the_shipped_file_says_what_holds_without_it() -> None:
    shipped = load(ROOT / "config" / "hub.yaml", {})
    assert shipped.model_dump() == Settings(channels={"h5": {}}).model_dump()


def test_a_variable_wins_over_the_file_and_reaches_every_level(file: Path) -> None:
    found = load_text(
        file, "workers: 2\nchannels:\n  wecom: {agent_id: 7, secret: old}\n", HUB_WORKERS="4", HUB_DATA="/srv/hub",
        HUB_CHANNELS__WECOM__SECRET="0123", HUB_CHANNELS__MAIL__HOST="h", HUB_TRUSTED_PROXIES="10.0.0.0/8, ::1",
        HUB_CONFIG="hub.yaml", HUBBUB="x",
    )  # fmt: skip
    assert (found.workers, found.data, found.trusted_proxies) == (4, Path("/srv/hub"), ("10.0.0.0/8", "::1"))
    assert found.channels == {"wecom": {"agent_id": 7, "secret": "0123"}, "mail": {"host": "h"}}


def test_a_variable_works_where_the_file_is_empty(file: Path) -> None:
    assert load_text(file, "", HUB_LISTEN="[::1]:80").port == 80


@pytest.mark.parametrize(
    ("text", "environ", "said"),
    [
        ("data: d\nwokers: 2\n", {}, 'hub.yaml:2: wokers: unknown setting, did you mean "workers"?'),
        ("a: 1\ndata: d\na: 2\n", {}, 'hub.yaml:3: duplicate key "a", first in line 1'),
        ("workers: [\n", {}, "hub.yaml:2: while parsing a flow node, did not find expected node content"),
        ("- a\n", {}, 'hub.yaml:1: must be settings of the form "name: value"'),
        ("\npartitions: 0\n", {}, "hub.yaml:2: partitions: input should be greater than or equal to 1"),
        ("listen: 8080\n", {}, "hub.yaml:1: listen: input should be a valid string"),
        ("listen: abc\n", {}, 'hub.yaml:1: listen: "abc" is no address; one looks like 127.0.0.1:8080'),
        ("public_url: chat.example.com\n", {},
         'hub.yaml:1: public_url: "chat.example.com" is no address of a page; one looks like https://chat.example.com'),
        ("trusted_proxies:\n  - ::1\n  - proxy\n", {},
         "hub.yaml:3: trusted_proxies.1: 'proxy' does not appear to be an IPv4 or IPv6 network"),
        ("channels:\n  h5: on\n", {}, "hub.yaml:2: channels.h5: input should be a valid dictionary"),
        ("nats: {url: 'nats://geheim@10.0.0.1'}\n", {},
         "hub.yaml:1: nats.url: is no list of servers; one looks like nats://TOKEN@10.0.0.1:4222, with commas between"
         " them"),
        ("", {"HUB_NATS__URL": "nats://geheim@a:1, nats://geheim@b:1", "HUB_HISTORY__URL": "postgresql://u:p@c/d"},
         "HUB_NATS__URL: nats.url: names two servers; name one server, or all of a cluster of three or more"),
        ("\nhistory:\n  url: mysql://hub:geheim@db/hub\n", {},
         "hub.yaml:3: history.url: is no PostgreSQL database; one looks like"
         " postgresql://USER:PASSWORD@10.0.0.1:5432/hub"),
        ("nats:\n  url: nats://geheim@10.0.0.1:4222\n", {},
         "hub.yaml:1: history: must have a `url` where `nats.url` is set: all nodes read one history"),
        ("media: {store: folder}\n", {"HUB_NATS__URL": "nats://geheim@a:1", "HUB_HISTORY__URL": "postgresql://u:p@c/d"},
         "hub.yaml:1: media: must have a `folder` that all machines share where `nats.url` is set"),
        ("media: {store: s3}\n", {}, "hub.yaml:1: media.store: input should be 'nats' or 'folder'"),
        ("media:\n  max_bytes: 300000000\n", {},
         "hub.yaml:2: media.max_bytes: input should be less than or equal to 209715200"),
        ("", {"HUB_MEDIA__TYPES": "image/png, image/jpg"},
         'HUB_MEDIA__TYPES: media.types.1: "image/jpg" is no type that the hub knows, did you mean "image/jpeg"?'),
        ("nats: {uri: x}\n", {}, 'hub.yaml:1: nats.uri: unknown setting, did you mean "url"?'),
        ("", {"HUB_WORKERS": "two"},
         "HUB_WORKERS: workers: input should be a valid integer, unable to parse string as an integer"),
        ("", {"HUB_WOKERS": "2"}, 'HUB_WOKERS: wokers: unknown setting, did you mean "workers"?'),
        ("data: d\n", {"HUB_DATA__X": "2"}, "HUB_DATA__X: data is a single value, nothing can stand below it"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_place(file: Path, text: str, environ: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load_text(file, text, **environ)
    assert str(refused.value) == said


def test_urls_keep_their_secrets_to_themselves(file: Path) -> None:
    database = "postgresql://hub:geheim@db:5432/hub?ssl=require"
    found = load_text(file, "", HUB_NATS__URL="nats://geheim@a:1,nats://geheim@b:1, nats://geheim@c:1",
                      HUB_HISTORY__URL=database)  # fmt: skip
    assert found.nats.url == "nats://geheim@a:1,nats://geheim@b:1,nats://geheim@c:1"
    assert found.history.url == database
    assert "geheim" not in repr(found)
    assert Settings.model_validate(found.model_dump(mode="json")).nats == found.nats, "workers get them too"


def test_media_types_come_from_a_variable_too(file: Path) -> None:
    found = load_text(file, "media:\n  store: folder\n", HUB_MEDIA__TYPES="image/png, application/pdf")
    assert found.media == Media(store="folder", types=("image/png", "application/pdf"))
    assert Settings.model_validate(found.model_dump(mode="json")).media == found.media


def test_the_longest_file_fits_into_the_store() -> None:
    assert Media(max_bytes=MAX_BYTES).max_bytes == MAX_BYTES
    with pytest.raises(pydantic.ValidationError):
        Media(max_bytes=MAX_BYTES + 1)


def test_all_findings_are_told_at_once(file: Path) -> None:
    with pytest.raises(SettingsError) as refused:
        load_text(file, "workers: -1\nrulez: r\n")
    assert [line.split(": ")[0] for line in str(refused.value).splitlines()] == ["hub.yaml:1", "hub.yaml:2"]


def test_a_missing_file_is_named() -> None:
    with pytest.raises(SettingsError, match=r"nowhere.yaml: no such file; name the right one with --config"):
        load(Path("nowhere.yaml"), {})


@pytest.mark.parametrize(
    ("listen", "url"),
    [
        ("127.0.0.1:8080", "http://127.0.0.1:8080"), ("0.0.0.0:80", "http://127.0.0.1:80"),
        ("[::1]:80", "http://[::1]:80"), ("[::]:80", "http://127.0.0.1:80"),
    ],
)  # fmt: skip
def test_without_a_public_url_it_is_the_address(listen: str, url: str) -> None:
    assert Settings(listen=listen).public_url == url


def test_a_free_port_moves_the_address_but_not_a_public_url() -> None:
    assert Settings(listen="[::1]:0").listening_on(81).public_url == "http://[::1]:81"
    moved = Settings(listen="127.0.0.1:0", public_url="https://chat.example.com/").listening_on(81)
    assert (moved.listen, moved.public_url) == ("127.0.0.1:81", "https://chat.example.com")


@pytest.mark.parametrize("address", ["", "127.0.0.1", "127.0.0.1:", ":80", "::1:80", "h:66000", "h:-1", "[]:80"])
def test_no_address(address: str) -> None:
    with pytest.raises(ValueError, match="is no address"):
        split_address(address)


def test_settings_travel_to_another_process() -> None:
    here = Settings(workers=3, channels={"wecom": {"secret": "s"}}, trusted_proxies=("::1",))
    assert Settings.model_validate_json(here.model_dump_json()) == here


def test_secrets_do_not_show() -> None:
    assert "s3cret" not in repr(Settings(channels={"wecom": {"secret": "s3cret"}}))


def test_settings_cannot_be_changed() -> None:
    settings: Any = Settings()
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        settings.workers = 3
