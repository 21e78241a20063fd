"""Rule files become a rule set, or a list of everything that is wrong with them, each with its place and the cure."""

import copy
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import pydantic

from hub import marked_yaml
from hub.errors import RulesError
from hub.marked_yaml import MAX_CHARACTERS, Document, Malformed, Path
from hub.rules.check_roster import check_replies, check_roster, surprises
from hub.rules.findings import Findings, nearest
from hub.rules.fold import fold
from hub.rules.model import FilterRule, Filters, Lines, Routing, Rule
from hub.rules.roster import Replies, Roster
from hub.rules.ruleset import RuleSet

ROUTING, FILTERS, TEAMS, REPLIES = "routing.yaml", "filters.yaml", "teams.yaml", "replies.yaml"
MODELS: Mapping[str, type[Lines]] = {ROUTING: Routing, FILTERS: Filters, TEAMS: Roster, REPLIES: Replies}
"""What may stand in which file; there need be no replies.yaml."""
LEXICON = re.compile(r"lexicons/([^/]+)\.txt")

_Model = TypeVar("_Model", bound=Lines)


def load(files: Mapping[str, str]) -> RuleSet:
    """The rule set that `files` describe: their texts by name below rules/ ("routing.yaml", "lexicons/abuse.txt").

    Files of other names are left alone. Raises RulesError with all findings at once. It works for some milliseconds
    (4 for a thousand words): not on an event loop that others wait for.
    """
    loading = _Loading(files)
    routing = loading.parse(ROUTING, Routing)
    filters = loading.parse(FILTERS, Filters)
    roster = loading.parse(TEAMS, Roster)
    replies = loading.parse(REPLIES, Replies) if REPLIES in files else Replies()
    lexicons = loading.lexicons()
    if filters is not None:
        loading.check_rules(FILTERS, filters.rules)
        loading.check_lexicons(filters)
    if routing is not None:
        loading.check_rules(ROUTING, routing.rules)
        loading.check_routing(routing)
    if roster is not None:
        loading.check_roster(roster)
    if replies is not None:
        loading.check_replies(replies)
    if loading.findings or routing is None or filters is None or roster is None or replies is None:
        raise RulesError(loading.findings.lines())
    return RuleSet(version_of(files), routing, filters, roster, replies, lexicons)


def check(files: Mapping[str, str]) -> list[str]:
    """What `load` would refuse, a line each; empty when there is nothing wrong."""
    try:
        load(files)
    except RulesError as error:
        return error.findings
    return []


def remarks(files: Mapping[str, str], now_ms: int) -> list[str]:
    """What is right in files that `load` takes, but may surprise at some time after `now_ms` (Unix), a line each."""
    loading = _Loading(files)
    roster = loading.parse(TEAMS, Roster)
    for surprise in surprises(roster, now_ms) if roster is not None else ():
        loading.find(TEAMS, surprise.path, surprise.what, key=surprise.key)
    return loading.findings.lines()


def schemas() -> dict[str, str]:
    """JSON Schemas of the rule files for editors, by file name ("teams.json")."""
    return {
        f"{file.removesuffix('.yaml')}.json": json.dumps(model.model_json_schema(), ensure_ascii=False, indent=1) + "\n"
        for file, model in MODELS.items()
    }


def version_of(files: Mapping[str, str]) -> str:
    """A short hash of names and texts."""
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(f"{name}\0{files[name]}\0".encode(errors="surrogatepass"))
    return digest.hexdigest()[:12]


class _Loading:
    """One look at all files."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self.files = files
        self.findings = Findings()
        self.documents: dict[str, Document] = {}
        self.dropped: dict[str, set[Path]] = {}
        """Rules, teams and agents that could not be read, so that the others can still be checked."""
        self.ids: dict[str, str] = {}

    def parse(self, file: str, model: type[_Model]) -> _Model | None:
        if file not in self.files:
            self.findings.add(file, (1, 1), "the file is missing: add it to the folder with the rules")
            return None
        try:
            document = self.documents[file] = marked_yaml.read(self.files[file])
        except Malformed as error:
            self.findings.add(file, (error.line, error.column), error.what)
            return None
        try:
            return model.model_validate(document.value)
        except pydantic.ValidationError as error:
            errors = error.errors(include_url=False)
        for details in errors:
            self.findings.add_invalid(file, document, model, details)
        return self._sound_part(file, model, errors)

    def _sound_part(self, file: str, model: type[_Model], errors: Sequence[Any]) -> _Model | None:
        """What is left without unknown keys and unreadable lines; None when the file as a whole is wrong."""
        value = copy.deepcopy(self.documents[file].value)
        dropped = self.dropped[file] = set()
        for details in errors:
            path = details["loc"]
            if details["type"] == "extra_forbidden":
                line = value
                for part in path[:-1]:
                    line = line[part]
                del line[path[-1]]
            elif len(path) < 2:
                return None
            else:
                dropped.add(path[:2])
        for section, name in sorted(dropped, reverse=True):
            del value[section][name]
        try:
            return model.model_validate(value)
        except pydantic.ValidationError:
            return None

    def find(self, file: str, path: Path, what: str, *, key: bool = False) -> None:
        self.findings.add_at(file, self.documents[file], path, what, key=key)

    def paths(self, file: str, section: str = "rules") -> list[Path]:
        """Where the lines of a list that could be read stand."""
        dropped = self.dropped.get(file, ())
        count = len(self.documents[file].value.get(section, ()))
        return [path for index in range(count) if (path := (section, index)) not in dropped]

    def lexicons(self) -> dict[str, list[str]]:
        """The words of each lexicon: one a line, without empty lines and those that begin with #."""
        lexicons: dict[str, list[str]] = {}
        for file, text in self.files.items():
            if not (name := LEXICON.fullmatch(file)):
                continue
            words = lexicons[name[1]] = []
            if len(text) > MAX_CHARACTERS:
                what = f"{len(text)} characters exceed the limit of {MAX_CHARACTERS}: split the file"
                self.findings.add(file, (1, 1), what)
                continue
            for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
                word = line.strip()
                if word and not word.startswith("#"):
                    words.append(word)
                    if problem := _problem(word):
                        self.findings.add(file, (number, 1), problem)
        return lexicons

    def check_rules(self, file: str, rules: Sequence[Rule]) -> None:
        for path, rule in zip(self.paths(file), rules, strict=True):
            self._check_id(file, path, rule.id)
            if not (rule.words or (isinstance(rule, FilterRule) and (rule.lexicons or rule.detect))):
                self.find(file, path, f"the rule can never match: give it {rule.SOURCES}")
            for index, alternative in enumerate(rule.words):
                for word in alternative:
                    if problem := _problem(word):
                        self.find(file, (*path, "words", index), problem)
            for index, phrase in enumerate(rule.not_in):
                if problem := _problem(phrase):
                    self.find(file, (*path, "not_in", index), problem)

    def check_lexicons(self, filters: Filters) -> None:
        known = [match[1] for file in self.files if (match := LEXICON.fullmatch(file))]
        for path, rule in zip(self.paths(FILTERS), filters.rules, strict=True):
            for index, name in enumerate(rule.lexicons):
                if name not in known:
                    what = f"there is no lexicons/{name}.txt{nearest(name, known)}"
                    self.find(FILTERS, (*path, "lexicons", index), what)

    def check_routing(self, routing: Routing) -> None:
        self._check_team(ROUTING, ("default",), routing.default)
        for path, rule in zip(self.paths(ROUTING), routing.rules, strict=True):
            if rule.team is not None:
                self._check_team(ROUTING, (*path, "team"), rule.team)
            elif rule.reply is None:
                self.find(ROUTING, path, "the rule does nothing: give it a team or a reply")
            elif rule.priority:
                self.find(ROUTING, (*path, "priority"), "a priority counts only with a team: add one or remove it")

    def check_roster(self, roster: Roster) -> None:
        for path, line in zip(self.paths(TEAMS, "visitors"), roster.visitors, strict=True):
            self._check_id(TEAMS, path, line.id)
        for wrong in check_roster(roster, self._teams_file(), self.dropped.get(TEAMS, ())):
            self.find(TEAMS, wrong.path, wrong.what, key=wrong.key)

    def check_replies(self, replies: Replies) -> None:
        for wrong in check_replies(replies, self._teams_file()) if REPLIES in self.documents else ():
            self.find(REPLIES, wrong.path, wrong.what, key=wrong.key)

    def _check_team(self, file: str, path: Path, team: str) -> None:
        teams = self._teams_file().get("teams")
        if isinstance(teams, dict) and team not in teams:
            self.find(file, path, f'unknown team "{team}"{nearest(team, teams)}')

    def _teams_file(self) -> Mapping[str, Any]:
        """teams.yaml as it stands there, with what could not be read."""
        document = self.documents.get(TEAMS)
        return document.value if document and isinstance(document.value, dict) else {}

    def _check_id(self, file: str, path: Path, id_: str) -> None:
        if id_ in self.ids:
            self.find(file, (*path, "id"), f"the id is taken by the rule at {self.ids[id_]}: choose another")
        self.ids.setdefault(id_, f"{file}:{self.documents[file].place((*path, 'id'))[0]}")


def _problem(word: str) -> str:
    if not word.strip():
        return "an empty word: remove it"
    if not fold(word).strip():
        return f'the word "{word}" folds to nothing, it could never be found: remove it'
    return ""
