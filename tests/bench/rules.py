"""What a judgement costs: `python tests/bench/rules.py` prints microseconds a message, with a lexicon of 10,000."""

import functools
import json
import random
import timeit

from hub.rules.load import load

WORDS = 10_000
TEAMS = """\
teams: {general: {display: 综合}}
agents: {li: {display: 李, teams: [general]}}
"""
ROUTING = """\
default: general
rules: [{id: refund, team: general, words: [退款, refund]}]
"""
FILTERS = """\
rules:
  - {id: words, action: mask, lexicons: [words]}
  - {id: private, action: mask, detect: [phone, id_card, bank_card, email]}
"""
TEXTS = {
    "no hit, 36 Chinese characters": "您好，我上周在你们店里买的那件外套到现在还没有穿过，能帮我查一下吗？谢谢",
    "no hit, 36 ASCII characters": "hello, where can I see what I bought",
    "no hit, 4 Chinese characters": "你好，在吗",
    "a keyword": "您好，我上周在你们店里买的那件外套不太合适，我想退款，能帮我查一下吗？谢谢",
    "a phone number": "您好，我上周在你们店里买的那件外套，请打 138 1234 5678 联系我，谢谢您了",
}


def files() -> dict[str, str]:
    """Rules with a lexicon of random words of 2 to 5 characters, which no text holds."""
    draw = random.Random(1)
    words: set[str] = set()
    while len(words) < WORDS:
        words.add("".join(chr(draw.randint(0x5000, 0x9F00)) for _ in range(draw.randint(2, 5))))
    lexicon = "\n".join(sorted(words))
    return {"routing.yaml": ROUTING, "filters.yaml": FILTERS, "teams.yaml": TEAMS, "lexicons/words.txt": lexicon}


def measure(runs: int = 20_000) -> dict[str, float]:
    """The best of five runs, in microseconds a call; loading in milliseconds."""
    rules = files()
    ruleset = load(rules)
    figures = {
        name: min(timeit.repeat(functools.partial(ruleset.judge, text, False), number=runs, repeat=5)) / runs * 1e6
        for name, text in TEXTS.items()
    }
    figures["load, milliseconds"] = min(timeit.repeat(lambda: load(rules), number=1, repeat=3)) * 1e3
    return {name: round(figure, 2) for name, figure in figures.items()}


if __name__ == "__main__":
    print(json.dumps(measure(), ensure_ascii=False, indent=2))
