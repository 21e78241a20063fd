"""Commands that ask a running hub: its API on this machine, with the admin token."""

import dataclasses
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from hub.cli.config import DEFAULT, Config
from hub.errors import HubError

if TYPE_CHECKING:
    from rich.text import Text

ANSWER_S = 30.0
NAME = re.compile(r"([a-z]\d+-[^/?#\s]+)/(\d+)")
TOKEN_CURE = "`hub up` shows it at its first start, and `hub up --new-admin-token` makes and shows a new one"


@Parameter(name="*")
@dataclasses.dataclass(frozen=True)
class Asking:
    """Whom to ask, and how to show the answer."""

    config: Config = DEFAULT
    """File with the settings, which say where the hub listens."""
    url: str = ""
    """The hub's address, where it is not the one in the settings."""
    token: Annotated[str, Parameter(env_var="HUB_ADMIN_TOKEN")] = ""
    """The admin token; best as the variable, for other users of the machine see a command's options."""
    json: Annotated[bool, Parameter(negative="")] = False
    """Print the API's answer as it is, for programs."""


def ask(
    asking: Asking, method: str, path: str, body: dict[str, Any] | None = None, **params: str | int | bool
) -> dict[str, Any]:
    """The API's answer; empty where it says nothing.

    Where the hub refuses, its sentence goes to stderr, and the exit status is 1. Raises HubError when there is no hub
    to ask, or it does not know the token.
    """
    import httpx

    if not asking.token:
        raise HubError(f"no admin token: set HUB_ADMIN_TOKEN; {TOKEN_CURE}")
    url = asking.url.rstrip("/") or _address(asking.config)
    try:
        with httpx.Client(trust_env=False, timeout=ANSWER_S) as http:
            answer = http.request(
                method,
                f"{url}/api/v1/{path}",
                params={name: value for name, value in params.items() if value != ""},
                json=body,
                headers={"authorization": f"Bearer {asking.token}"},
            )
            said: dict[str, Any] = answer.json() if answer.content else {}
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise HubError(
            f"{url}: no hub answers there ({type(error).__name__}); start it, or name its address with --url"
        ) from None
    if answer.status_code == 401:
        raise HubError(f"{url}: the hub does not know this admin token; {TOKEN_CURE}")
    if answer.is_error:
        print(f"hub: {said.get('detail', answer.reason_phrase)}", file=sys.stderr)
        sys.exit(1)
    return said


def _address(config: Path) -> str:
    from hub import settings

    set_up = settings.load(config)
    if not set_up.port:
        raise HubError(f"listen {set_up.listen}: the hub has taken a free port; name its address with --url")
    return settings.url_of(set_up.listen)


def split_name(name: str) -> tuple[str, str]:
    """Entity and number of "p7-email-k3v9/12". Raises HubError."""
    found = NAME.fullmatch(name)
    if found is None:
        raise HubError(f"{name} names nothing; a name looks like p7-email-k3v9/12, as the list shows it")
    return found[1], found[2]


def say(asking: Asking, said: dict[str, Any], for_people: Callable[[dict[str, Any]], None]) -> None:
    """Print the answer as JSON on one line, or as `for_people` does."""
    if asking.json:
        print(json.dumps(said, ensure_ascii=False))
    else:
        for_people(said)


def cell(value: object) -> "Text":
    """What somebody may have written, as a table can show it: nothing in it is a colour or moves the cursor."""
    from rich.text import Text

    return Text("".join(c if c.isprintable() or c == "\n" else "�" for c in str(value)))


def moment(at_ms: int) -> str:
    """A Unix moment in ms, in UTC."""
    import time

    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(at_ms / 1000))
