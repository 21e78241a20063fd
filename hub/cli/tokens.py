"""`hub tokens`: what lets programs in."""

from typing import Annotated, Any

import cyclopts
from cyclopts import Parameter

from hub.cli.ask import Asking, ask, cell, moment, say
from hub.errors import HubError

PLAIN = Asking()
tokens = cyclopts.App(name="tokens", help="Tokens that let programs in, each for what it was made for.")


@tokens.command
def create(name: str, /, *, scope: Annotated[tuple[str, ...], Parameter(negative=())], asking: Asking = PLAIN) -> None:
    """Make a token and show it; nobody can show it again.

    Parameters
    ----------
    name
        What it is for, as the list shows it.
    scope
        What it may do; may be repeated. docs/api.md names them.
    """
    from hub.api.rights import SCOPES

    for one in scope:
        if one not in SCOPES:
            raise HubError(f"--scope {one}: there is no such scope; there are {', '.join(SCOPES)}")
    said = ask(asking, "POST", "tokens", {"name": name, "scopes": list(scope)})
    say(asking, said, lambda said: print(said["token"]))


@tokens.command(name="list")
def list_tokens(*, asking: Asking = PLAIN) -> None:
    """List the tokens that are good, without themselves."""
    say(asking, ask(asking, "GET", "tokens"), _print_list)


def _print_list(said: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("id", "name", "scopes", "made (UTC)")
    for one in said["tokens"]:
        table.add_row(*map(cell, (one["id"], one["name"], " ".join(one["scopes"]), moment(one["created_at"]))))
    Console().print(table if said["tokens"] else "There are none.")


@tokens.command
def revoke(token: str, /, *, asking: Asking = PLAIN) -> None:
    """Let a token be good no more.

    Parameters
    ----------
    token
        Its id in the list.
    """
    said = ask(asking, "DELETE", f"tokens/{token}")
    say(asking, said, lambda _: print(f"{token} is good no more."))
