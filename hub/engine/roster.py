"""Who answers, and who an outside identity is: rules/teams.yaml joined with the channels' capabilities."""

from collections.abc import Iterable, Mapping

import msgspec

from hub.contract import Capabilities, Connector
from hub.domain import ids
from hub.domain.commands import AnyCommand, KeepUnparsed
from hub.domain.messages import Limits
from hub.domain.teams import DESK, AgentSettings, Hours, Overflow, Patience, Team, Teams, Way
from hub.engine.names import Names
from hub.rules.roster import Replies, TeamLine
from hub.rules.roster import Roster as RosterLines
from hub.rules.ruleset import RuleSet


def teams_of(rules: RuleSet, connectors: Mapping[str, Connector], partitions: int) -> Teams:
    """The teams and agents of a rule set, each agent with the limits of their channel."""
    roster = rules.roster
    hours = {name: line.hours(roster.timezone) for name, line in roster.hours.items()}
    shifts = {line.shift for line in roster.agents.values()}
    return Teams(
        rules.version,
        rules.default,
        tuple(_team(name, line, hours, partitions) for name, line in roster.teams.items()),
        tuple(_settings(name, roster, connectors, partitions) for name in roster.agents),
        {name: of for name, of in hours.items() if name in shifts},
        roster.weights,
        roster.handover_s,
    )


def _team(name: str, line: TeamLine, hours: Mapping[str, Hours], partitions: int) -> Team:
    return Team(
        name,
        line.display,
        line.display_en,
        line.pick,
        line.last_agent_days,
        hours.get(line.hours),
        line.away,
        line.away_en,
        ids.agent_id(partitions, line.lead) if line.lead else "",
        Patience(line.accept_s, line.remind_s, line.lead_s, line.pass_s, line.nudge_s, line.close_s, line.reply_s),
        Overflow(line.overflow.team, line.overflow.after_s) if line.overflow else None,
        line.max_waiting,
    )


def _settings(name: str, roster: RosterLines, connectors: Mapping[str, Connector], partitions: int) -> AgentSettings:
    """The agent; ways on channels that are off, or on which there are only visitors, are none."""
    line = roster.agents[name]
    ways = tuple(
        Way(way.channel, line.addresses.get(way.channel, ""), _limits(connectors, way.channel), *way[1:])
        for way in roster.ways(line)
        if way.channel == DESK or _has_agents(connectors, way.channel)
    )
    phones = [way for way in ways if way.channel != DESK]
    leads = {roster.teams[team].lead for team in line.teams} - {"", name}
    desk = AgentSettings(
        ids.agent_id(partitions, name),
        name,
        line.display,
        tuple(line.teams),
        line.capacity,
        languages=tuple(line.languages),
        shift=line.shift,
        leads=tuple(ids.agent_id(partitions, lead) for lead in sorted(leads)),
    )
    if not phones:
        return desk
    first = next((way for way in phones if not (way.off_duty or way.unread_s)), phones[0])
    return msgspec.structs.replace(
        desk, channel=first.channel, address=first.address, limits=first.limits, ways=ways if len(ways) > 1 else ()
    )


def _has_agents(connectors: Mapping[str, Connector], channel: str) -> bool:
    return channel in connectors and connectors[channel].can.role != "visitor"


def _limits(connectors: Mapping[str, Connector], channel: str) -> Limits:
    return limits_of(connectors[channel].can) if channel in connectors else Limits()


def limits_of(can: Capabilities) -> Limits:
    """What the domain has to know of a channel."""
    return Limits(
        max_text=can.max_text,
        unit=can.unit,
        files=tuple(can.files),
        files_with_text=can.files_with_text,
        choices=can.choices,
        notices=can.notices,
        fold_ms=can.fold_ms,
        per_minute=can.per_minute,
        per_hour=can.per_hour,
        reply_within_ms=can.reply_within_s * 1000,
        replies=can.replies,
        resend_ms=can.recognises_s * 1000,
        edits_ms=can.edits_s * 1000,
        recalls_ms=can.recalls_s * 1000,
        threads=can.role == "both",
    )


class Roster:
    """Who answers at this moment, and which entity an outside identity is; the rule files change it."""

    def __init__(self, teams: Teams, partitions: int, replies: Replies | None = None) -> None:
        self._partitions = partitions
        self.change(teams, Names(teams, replies or Replies()))

    def change(self, teams: Teams, names: Names) -> None:
        """A new version of rules/teams.yaml is in force, and of the names in it and in rules/replies.yaml."""
        self.teams, self.names = teams, names
        self._ids = {agent.id for agent in teams.agents}
        self._agents = {(one.channel, one.address.casefold()): one.id for one in teams.agents if one.channel}
        self._agents |= {(way.channel, way.address.casefold()): one.id for one in teams.agents for way in one.ways}

    def agent_id(self, name: str) -> str | None:
        """The entity of the agent with this name in teams.yaml, or None."""
        return next((agent.id for agent in self.teams.agents if agent.name == name), None)

    def has(self, agent: str) -> bool:
        """Whether teams.yaml names the agent with this entity id."""
        return agent in self._ids

    def replies(self, teams: Iterable[str]) -> dict[str, str]:
        """All quick replies of an agent of these teams, by name."""
        return self.names.replies(teams)

    def agent_at(self, channel: str, identity: str) -> str | None:
        """The entity of the agent with this identity on a channel, or None."""
        return self._agents.get((channel, identity.casefold()))

    def unparsed(self, channel: str, because: str, raw: str) -> tuple[str, AnyCommand]:
        """The entity and command that keep what nobody could read."""
        return ids.intake_id(self._partitions, channel), KeepUnparsed(because, raw)
