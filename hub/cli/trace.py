"""`hub trace`: the way of one message."""

from typing import Any

from hub.cli.ask import NAME, Asking, ask, cell, moment, say, split_name
from hub.errors import HubError

PLAIN = Asking()


def trace(message: str, /, *, channel: str = "", texts: bool = False, asking: Asking = PLAIN) -> None:
    """Show the way of one message: what came, what was decided, each try to hand it over, and what became of it.

    Parameters
    ----------
    message
        Its place, such as p7-email-k3v9/12; or with --channel what that channel's platform calls it.
    channel
        The channel whose platform calls it so.
    texts
        Show message texts, not only how they begin.
    """
    if channel:
        said = ask(asking, "GET", "trace", outside_id=message, channel=channel, texts=texts)
    elif NAME.fullmatch(message):
        entity, seq = split_name(message)
        said = ask(asking, "GET", f"trace/{entity}/{seq}", texts=texts)
    else:
        raise HubError(
            f"{message} is no message's place, which looks like p7-email-k3v9/12; if a platform calls the message so,"
            " name its --channel"
        )
    say(asking, said, _print)


def _print(said: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Column, Table

    table = Table(Column("ms", justify="right"), "event", "of", "says")
    for step in said["steps"]:
        says = "\n".join(_lines(step["says"]))
        table.add_row(*map(cell, (step["ms"], step["event"], f"{step['entity']}/{step['seq']}", says)))
    print(f"{said['message']}, from {moment(said['steps'][0]['at'])} UTC on:")
    Console().print(table)
    if not said["complete"]:
        print("There may be more: much has happened since, and only the first 1,000 events of each were looked at.")


def _lines(says: dict[str, Any], above: str = "") -> list[str]:
    """A line for each field that says something."""
    lines: list[str] = []
    for name, value in says.items():
        if isinstance(value, dict):
            lines += _lines(value, f"{above}{name}.")
        elif value not in ("", [], None):
            lines.append(f"{above}{name}: {value}")
    return lines
