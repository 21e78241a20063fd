"""Whether the server that took a mail in vouches for its From: Authentication-Results (RFC 8601)."""

import re
from collections.abc import Iterable

_PIECE = re.compile(r'\\.|[()"]|[^\\()"]+|\\', re.DOTALL)
_RESULT = re.compile(r"\s*dmarc\s*=\s*(\w+)")
_FROM = re.compile(r"\sheader\.from\s*=\s*([^\s;]+)")


def vouched(fields: Iterable[str], server: str, domain: str) -> bool:
    """Whether `server` says that DMARC passed for a mail from `domain`. `fields` are in the mail's order.

    Only the topmost in its name that speaks of DMARC counts: what is below may be the sender's own words, for not every
    server takes out what others wrote in its name (section 5). One that cannot be read may speak of it too.
    """
    for field in fields:
        said, whole = _said(field.casefold())
        name, *results = said.split(";")
        if name.split()[:1] != [server.casefold()]:
            continue
        for result in results:
            if verdict := _RESULT.match(result):
                of = _FROM.search(result)
                return whole and verdict[1] == "pass" and of is not None and of[1] == domain.casefold()
        if not whole:
            return False
    return False


def _said(field: str) -> tuple[str, bool]:
    """The field without comments and what stands in quotes, in which a server repeats what a stranger has chosen; and
    whether all of these end.
    """
    said, depth, quoted = [], 0, False
    for piece in _PIECE.findall(field):
        if quoted:
            quoted = piece != '"'
        elif piece == "(":
            depth += 1
        elif depth:
            depth -= piece == ")"
        elif piece == '"':
            quoted = True
        else:
            said.append(piece)
    return "".join(said), not (depth or quoted)
