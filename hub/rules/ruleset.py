"""A rule set in force: what it says of one text. It is replaced as a whole, never changed."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from hub.domain.messages import Judgement, Status
from hub.rules.detect import detect
from hub.rules.fold import bare, fold
from hub.rules.match import Matcher, Reading, Span, mask
from hub.rules.model import FilterRule, Filters, Routing, RoutingRule
from hub.rules.roster import Replies, Roster
from hub.rules.visitors import Visitors


class _Word(NamedTuple):
    """A folded word and the view in which it is sought."""

    text: str
    in_bare: bool


class _Use(NamedTuple):
    """A rule that matches when all of `words` occur; both are indexes."""

    rule: int
    words: tuple[int, ...]


class _Filtered(NamedTuple):
    """What the filters say of a text: where it is masked, whether it is held or blocked, which rules flag it."""

    spans: list[Span]
    status: Status
    flags: list[str]
    because: list[str]


class RuleSet:
    """What load.py has made of the files. `judge` is all that the way of a message needs.

    `version` is a short hash of the files; `default` names the team for what no keyword sends anywhere; `roster` is
    teams.yaml, `replies` is replies.yaml.
    """

    def __init__(
        self,
        version: str,
        routing: Routing,
        filters: Filters,
        roster: Roster,
        replies: Replies,
        lexicons: Mapping[str, Sequence[str]],
    ) -> None:
        self.version = version
        self.default = routing.default
        self.roster, self.replies = roster, replies
        self._visitors = Visitors(roster.visitors)
        self._filters = filters.rules
        self._routes = routing.rules
        self._detectors = tuple(dict.fromkeys(d for rule in filters.rules for d in rule.detect))
        self._compile(lexicons)

    def judge(self, text: str, routed: bool, channel: str = "", who: str = "") -> Judgement:
        """What others may read of `text`, whether it is held or blocked, which team it goes to, what is replied.

        When it is `routed` already, nothing chooses a team any more, keywords only reply. A blocked text neither routes
        nor replies; a held one does, and keeps its original. Where several rules match, the first one in the file
        that has a team (a reply) counts; blocking is stronger than holding. `who` is the visitor's address on
        `channel`: a line of teams.yaml that names them is stronger than keywords, and the higher priority counts.
        """
        matched, visitor = self._match(Reading(text)), self._visitors.find(channel, who)
        if not matched and visitor is None:
            return Judgement(text=text, rules=self.version)
        kept = self._filtered(matched)
        because, status = kept.because, kept.status
        if visitor is not None and (visitor.block or not routed):
            because = [*because, visitor.id]
            status = "blocked" if visitor.block else status
        shown = mask(text, kept.spans)
        routes = [] if status == "blocked" else self._routes_of(matched)
        chosen = next((rule for rule in routes if rule.team), None)
        choosing = [] if routed or status == "blocked" else [one for one in (visitor, chosen) if one is not None]
        replying = next((rule for rule in routes if rule.reply), None)
        return Judgement(
            text=shown,
            status=status,
            original=text if shown != text else None,
            team=next((one.team for one in choosing if one.team), None),
            priority=max((one.priority for one in choosing), default=0),
            reply=replying.reply if replying else None,
            choices=tuple(replying.choices) if replying else (),
            flags=tuple(kept.flags),
            because=(*because, *(rule.id for rule in routes)),
            rules=self.version,
        )

    def _filtered(self, matched: Mapping[int, list[Span]]) -> _Filtered:
        spans: list[Span] = []
        status: Status = ""
        flags: list[str] = []
        because: list[str] = []
        for index, rule in enumerate(self._filters):
            if index not in matched:
                continue
            because.append(rule.id)
            match rule.action:
                case "mask":
                    spans += matched[index]
                case "hold":
                    status = status or "held"
                case "block":
                    status = "blocked"
                case "flag":
                    flags.append(rule.id)
        return _Filtered(spans, status, flags, because)

    def _routes_of(self, matched: Mapping[int, object]) -> list[RoutingRule]:
        return [rule for index, rule in enumerate(self._routes, len(self._filters)) if index in matched]

    def _match(self, reading: Reading) -> dict[int, list[Span]]:
        """The rules that match, by index (first the filters, then the routes), and where."""
        found: dict[int, list[Span]] = {}
        for word, span in self._matcher.find(reading):
            found.setdefault(word, []).append(span)
        matched: dict[int, list[Span]] = {}
        for word in found:
            for rule, words in self._uses[word]:
                parts = [self._counting(rule, part, found) for part in words]
                if all(parts):
                    matched.setdefault(rule, []).extend(span for part in parts for span in part)
        if detected := detect(reading, self._detectors):
            for index, rule_ in enumerate(self._filters):
                if spans := [span for detector in rule_.detect for span in detected.get(detector, ())]:
                    matched.setdefault(index, []).extend(spans)
        return matched

    def _counting(self, rule: int, word: int, found: Mapping[int, list[Span]]) -> list[Span]:
        """The places of a word that are not inside one of the rule's `not_in` phrases."""
        exempt = [span for phrase in self._exempt[rule] for span in found.get(phrase, ())]
        return [
            (start, end)
            for start, end in found.get(word, ())
            if not any(first <= start and end <= last for first, last in exempt)
        ]

    def _compile(self, lexicons: Mapping[str, Sequence[str]]) -> None:
        rules: list[FilterRule | RoutingRule] = [*self._filters, *self._routes]
        alternatives = [list(_alternatives(rule, lexicons)) for rule in rules]
        exempt = [[_word(rule, phrase) for phrase in rule.not_in] for rule in rules]
        sought = itertools.chain.from_iterable(itertools.chain(*alternatives, exempt))
        every = dict.fromkeys(sought)
        folded = [word for word in every if not word.in_bare]
        in_bare = [word for word in every if word.in_bare]
        numbers = {word: number for number, word in enumerate((*folded, *in_bare))}
        self._matcher = Matcher([word.text for word in folded], [word.text for word in in_bare])
        self._exempt = [[numbers[word] for word in phrases] for phrases in exempt]
        self._uses: list[list[_Use]] = [[] for _ in numbers]
        for index, rule in enumerate(alternatives):
            for words in rule:
                use = _Use(index, tuple(numbers[word] for word in words))
                for number in use.words:
                    self._uses[number].append(use)


def _alternatives(rule: FilterRule | RoutingRule, lexicons: Mapping[str, Sequence[str]]) -> Iterator[list[_Word]]:
    for words in rule.words:
        yield [_word(rule, word) for word in words]
    if isinstance(rule, FilterRule):
        for name in rule.lexicons:
            for word in lexicons[name]:
                yield [_word(rule, word)]


def _word(rule: FilterRule | RoutingRule, text: str) -> _Word:
    """Filters look through signs inside a word; for routing, "想退，款式不好" must not read 退款.

    A word with signs of its own ("+v") would lose them in the bare view.
    """
    folded = fold(text)
    return _Word(folded, isinstance(rule, FilterRule) and bare(folded) == folded)
