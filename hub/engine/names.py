"""What an agent's words name: a colleague or team behind @, a quick reply; looked up where the rules are known."""

import unicodedata
from collections.abc import Iterable, Mapping

from hub.domain.agent import words
from hub.domain.teams import Lookup, Teams
from hub.rules.roster import Replies

LONGEST = 48
"""Characters of a name as it is typed; a display has at most 40."""
BETWEEN = " \t\n,.:;，。：；、"
"""What may stand between a name and the note behind it."""


class Names:
    """All names and quick replies of one version of the rules, in any case and width."""

    def __init__(self, teams: Teams, replies: Replies) -> None:
        people = [
            (agent.name, (agent.display,), Lookup(agent=agent.id, display=agent.display)) for agent in teams.agents
        ]
        groups = [
            (team.name, (team.display, team.display_en), Lookup(team=team.name, display=team.display))
            for team in teams.teams
        ]
        self._named = _by_name([*people, *groups])
        self._written = {"": replies.replies, **replies.teams}
        self._replies = {team: _folded(texts) for team, texts in (*replies.teams.items(), ("", replies.replies))}

    def lookup(self, said: words.Said, teams: Iterable[str]) -> Lookup | None:
        """What an agent of these `teams` names: an empty Lookup where it is nobody that there is.

        None: it is no text that names anybody.
        """
        match said:
            case words.Transfer(target=target):
                return self.named(target)
            case words.Quick(name=name):
                return Lookup(reply=self.reply(name, teams))
        return None

    def named(self, text: str) -> Lookup:
        """Whom the text begins with, by name or display, the longest that there is; what follows is its `rest`.

        A name ends where a word does: 小李子 is not 小李 with a note. A display that two bear names neither.
        """
        for end in range(min(len(text), LONGEST), 0, -1):
            if end < len(text) and not _ends_word(text[end]):
                continue
            if found := self._named.get(_fold(text[:end])):
                return Lookup(found.agent, found.team, found.display, text[end:].lstrip(BETWEEN).rstrip())
        return Lookup()

    def replies(self, teams: Iterable[str]) -> dict[str, str]:
        """All quick replies of an agent of these teams, by their names as they were written, as `reply` finds them."""
        found = dict(self._written[""])
        for team in reversed(list(teams)):
            found |= self._written.get(team, {})
        return found

    def reply(self, name: str, teams: Iterable[str]) -> str:
        """The quick reply of this name: of the first of the teams that has it, else everybody's; or empty."""
        name = _fold(name)
        return next((texts[name] for team in (*teams, "") if name in (texts := self._replies.get(team, {}))), "")


def _by_name(entries: Iterable[tuple[str, Iterable[str], Lookup]]) -> Mapping[str, Lookup]:
    entries = list(entries)
    bearers: dict[str, set[Lookup]] = {}
    for _, displays, one in entries:
        for display in filter(None, displays):
            bearers.setdefault(_fold(display), set()).add(one)
    named = {display: one for display, (one, *others) in bearers.items() if not others}
    return named | {_fold(name): one for name, _, one in entries}


def _folded(texts: Mapping[str, str]) -> dict[str, str]:
    return {_fold(name): text for name, text in texts.items()}


def _fold(text: str) -> str:
    return unicodedata.normalize("NFKC", text).strip().casefold()


def _ends_word(char: str) -> bool:
    return not (char.isalnum() or char in "-_")
