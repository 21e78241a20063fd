"""The `hub` command: one file a command group. What a command needs is imported when it runs: `--help` is quick."""

import sys
from collections.abc import Sequence

import cyclopts

from hub.cli.agents import agents
from hub.cli.connectors import connectors
from hub.cli.deliveries import deliveries
from hub.cli.demo import demo
from hub.cli.doctor import doctor
from hub.cli.log import log
from hub.cli.nats import nats
from hub.cli.rules import rules
from hub.cli.tokens import tokens
from hub.cli.trace import trace
from hub.cli.unparsed import unparsed
from hub.cli.up import up
from hub.cli.version import version
from hub.errors import HubError

app = cyclopts.App(
    name="hub",
    help="A self-hosted chat bridge for customer service that loses nothing and can prove it.",
    version=version,
)
app.command(demo)
app.command(up)
app.command(nats)
app.command(log)
app.command(doctor)
app.command(rules)
app.command(agents)
app.command(tokens)
app.command(deliveries)
app.command(unparsed)
app.command(trace)
app.command(connectors)
app.command(version)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line `arguments` (without: this process's own).

    What the hub refuses on purpose is said on stderr without a traceback, with exit status 2.
    """
    try:
        app(arguments)
    except HubError as error:
        print(f"hub: {error}", file=sys.stderr)
        sys.exit(2)
