"""Which visitors the rules know: those of `visitors` in teams.yaml."""

import fnmatch
import re
from collections.abc import Sequence

from hub.rules.roster import VisitorLine


class Visitors:
    """Finds the line that a visitor's address is in; thousands of whole addresses cost no more than one."""

    def __init__(self, lines: Sequence[VisitorLine]) -> None:
        self._lines = lines
        self._whole: dict[tuple[str, str], int] = {}
        self._patterns: list[tuple[int, str, re.Pattern[str]]] = []
        for index, line in enumerate(lines):
            for who in line.who:
                if is_pattern(who):
                    self._patterns.append((index, line.channel, _compiled(who)))
                else:
                    self._whole.setdefault((line.channel, who.casefold()), index)

    def find(self, channel: str, who: str) -> VisitorLine | None:
        """The first line that `who`, an address on `channel`, is in; None: the rules do not know them."""
        if not self._lines:
            return None
        who = who.casefold()
        found = [self._whole[key] for key in ((channel, who), ("", who)) if key in self._whole]
        found += [index for index, on, pattern in self._patterns if on in ("", channel) and pattern.fullmatch(who)]
        return self._lines[min(found)] if found else None


def is_pattern(who: str) -> bool:
    """Whether `who` may name more than one visitor."""
    return "*" in who


def _compiled(who: str) -> re.Pattern[str]:
    # Only * is special: fnmatch's other signs stand in addresses.
    return re.compile(fnmatch.translate(re.sub(r"([?\[])", r"[\1]", who.casefold())))
