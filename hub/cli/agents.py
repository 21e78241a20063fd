"""`hub agents`: who answers at this moment, and how they come in."""

import sys
from typing import Annotated, Any

import cyclopts
from cyclopts import Parameter

from hub.cli.ask import Asking, ask, cell, say
from hub.errors import HubError

PLAIN = Asking()
SHORTEST = 8
"""Characters of a password, as the hub wants them."""
agents = cyclopts.App(name="agents", help="Who answers at this moment, and how they come in.")


@agents.command(name="list")
def list_agents(*, limit: int = 500, cursor: str = "", asking: Asking = PLAIN) -> None:
    """List the agents of rules/teams.yaml by name: who is on duty, and how many conversations each has.

    Parameters
    ----------
    limit
        So many at most.
    cursor
        Go on where the list before ended.
    """
    say(asking, ask(asking, "GET", "agents", limit=limit, cursor=cursor), _print_list)


def _print_list(said: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("agent", "on duty", "has", "can have")
    for one in said["agents"]:
        on_duty = "yes" if one.get("on_duty") else ""
        table.add_row(*map(cell, (one["name"], on_duty, one.get("load", 0), one.get("capacity", 0))))
    Console().print(table if said["agents"] else "rules/teams.yaml names none.")
    if said["cursor"]:
        print(f"There are more: --cursor {said['cursor']}")


@agents.command
def password(name: str, /, *, stdin: Annotated[bool, Parameter(negative="")] = False, asking: Asking = PLAIN) -> None:
    """Give an agent a password, of 8 characters or more; all tokens that they have are good no more.

    Parameters
    ----------
    name
        As rules/teams.yaml has it.
    stdin
        Read it from the first line of the standard input, instead of asking twice.
    """
    chosen = sys.stdin.readline().rstrip("\r\n") if stdin else _asked_twice(name)
    if len(chosen) < SHORTEST:
        raise HubError(f"a password has {SHORTEST} characters or more, this one {len(chosen)}: nothing is changed")
    said = ask(asking, "PUT", f"agents/{name}/password", {"password": chosen})
    say(asking, said, lambda _: print(f"{name} has a new password; whoever was logged in as {name} must log in anew."))


def _asked_twice(name: str) -> str:
    from getpass import getpass

    chosen = getpass(f"New password of {name}: ")
    if getpass("Once more: ") != chosen:
        raise HubError("these were two different passwords: nothing is changed")
    return chosen


@agents.command
def token(name: str, /, *, asking: Asking = PLAIN) -> None:
    """Make a token that lets an agent in for one working day.

    Parameters
    ----------
    name
        As rules/teams.yaml has it.
    """
    say(asking, ask(asking, "POST", f"agents/{name}/token"), lambda said: print(said["token"]))
