"""`hub deliveries`: what leaves the hub, what became of it, and what a person does about what was not taken."""

from typing import Any

import cyclopts

from hub.cli.ask import Asking, ask, cell, moment, say, split_name

PLAIN = Asking()
deliveries = cyclopts.App(name="deliveries", help="What was not delivered, and what is to become of it.")


@deliveries.command(name="list")
def list_deliveries(
    *,
    state: str = "refused,unknown,failed,delayed",
    channel: str = "",
    entity: str = "",
    limit: int = 50,
    cursor: str = "",
    asking: Asking = PLAIN,
) -> None:
    """List deliveries, the latest first: without options those that a person should look at.

    Parameters
    ----------
    state
        Only these, with commas between them: queued (of which there was no attempt yet), sending, delayed, sent,
        refused, unknown, retried, dropped, delivered, read, failed; or all.
    channel
        Only of this channel.
    entity
        Only to this conversation or agent.
    limit
        So many at most.
    cursor
        Go on where the list before ended.
    """
    states = "" if state == "all" else state
    said = ask(asking, "GET", "deliveries", state=states, channel=channel, entity=entity, limit=limit, cursor=cursor)
    say(asking, said, _print_list)


def _print_list(said: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("delivery", "when (UTC)", "state", "channel", "to", "tries", "because", "text")
    for one in said["deliveries"]:
        name = one["entity"] + (f"/{one['attempt']}" if "attempt" in one else "")  # what is queued has no number yet
        fields = (one.get(field, "") for field in ("state", "channel", "address", "tries", "because", "text"))
        table.add_row(*map(cell, (name, moment(one["at"]), *fields)))
    Console().print(table if said["deliveries"] else "There are none.")
    if said["cursor"]:
        print(f"There are more: --cursor {said['cursor']}")


@deliveries.command
def show(delivery: str, /, *, asking: Asking = PLAIN) -> None:
    """Show one delivery with its whole text.

    Parameters
    ----------
    delivery
        Its name in the list, such as p7-email-k3v9/3.
    """
    entity, attempt = split_name(delivery)
    say(asking, ask(asking, "GET", f"deliveries/{entity}/{attempt}"), _print_one)


def _print_one(said: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(show_header=False)
    for name, value in said.items():
        shown = moment(value) if name in ("at", "began") else "\n".join(value) if name == "refs" else value
        table.add_row(name, cell(shown))
    Console().print(table)


@deliveries.command
def retry(delivery: str, /, *, asking: Asking = PLAIN) -> None:
    """Send a dead letter again, as a new attempt.

    Parameters
    ----------
    delivery
        Its name in the list, such as p7-email-k3v9/3.
    """
    _decide("retry", delivery, asking, "goes again, as a new attempt")


@deliveries.command
def drop(delivery: str, /, *, asking: Asking = PLAIN) -> None:
    """Decide that a dead letter is never sent.

    Parameters
    ----------
    delivery
        Its name in the list, such as p7-email-k3v9/3.
    """
    _decide("drop", delivery, asking, "is never sent")


def _decide(verb: str, delivery: str, asking: Asking, done: str) -> None:
    entity, attempt = split_name(delivery)
    said = ask(asking, "POST", f"deliveries/{entity}/{attempt}/{verb}")
    say(asking, said, lambda _: print(f"{delivery} {done}."))
