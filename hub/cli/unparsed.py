"""`hub unparsed`: what platforms sent and nobody could read."""

import sys
from typing import Any

import cyclopts

from hub.cli.ask import Asking, ask, cell, moment, say, split_name

PLAIN = Asking()
unparsed = cyclopts.App(name="unparsed", help="What platforms sent and nobody could read.")


@unparsed.command(name="list")
def list_unparsed(*, channel: str = "", limit: int = 50, cursor: str = "", asking: Asking = PLAIN) -> None:
    """List what could not be read, the latest first; what has been replayed stays in the list.

    Parameters
    ----------
    channel
        Only of this channel.
    limit
        So many at most.
    cursor
        Go on where the list before ended.
    """
    say(asking, ask(asking, "GET", "unparsed", channel=channel, limit=limit, cursor=cursor), _print_list)


def _print_list(said: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("input", "when (UTC)", "channel", "because")
    for one in said["unparsed"]:
        table.add_row(*map(cell, (f"{one['entity']}/{one['seq']}", moment(one["at"]), one["channel"], one["because"])))
    Console().print(table if said["unparsed"] else "There are none.")
    if said["cursor"]:
        print(f"There are more: --cursor {said['cursor']}")


@unparsed.command
def show(name: str, /, *, texts: bool = False, asking: Asking = PLAIN) -> None:
    """Show what came, with its secrets hidden.

    Parameters
    ----------
    name
        Its name in the list, such as i3-email/7.
    texts
        Show all of its body, not only how it begins.
    """
    entity, seq = split_name(name)
    say(asking, ask(asking, "GET", f"unparsed/{entity}/{seq}", texts=texts), _print_one)


def _print_one(said: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(show_header=False)
    for field, value in {"at": moment(said["at"]), "because": said["because"], **said["raw"]}.items():
        table.add_row(field, cell(value))
    Console().print(table)


@unparsed.command
def replay(name: str, /, *, asking: Asking = PLAIN) -> None:
    """Let the channel's connector read it again, after a fix. What was taken before is not taken twice.

    The exit status is 1 when anything in it still cannot be read or is refused.

    Parameters
    ----------
    name
        Its name in the list, such as i3-email/7.
    """
    entity, seq = split_name(name)
    said = ask(asking, "POST", f"unparsed/{entity}/{seq}/replay")
    say(asking, said, lambda _: _print_replayed(name, said))
    if said.get("because") or any(one.get("refused") for one in said.get("taken", [])):
        sys.exit(1)


def _print_replayed(name: str, said: dict[str, Any]) -> None:
    for one in said.get("taken", []):
        print(_sentence(one))
    if said.get("because"):
        print(f"hub: a part of {name} still cannot be read: {said['because']}", file=sys.stderr)
    elif not said.get("taken"):
        print(f"{name} was read, and it means nothing to the hub.")


def _sentence(one: dict[str, Any]) -> str:
    place = f"{one['entity']}/{one['seq']}" if one.get("seq") else one["entity"]
    if one.get("refused"):
        return f"{place} refuses it: {one['refused']}"
    return f"{place} had it already." if one.get("known") else f"{place} has it now."
