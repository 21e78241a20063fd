"""What the demo's visitors say: openers that people labelled, and small talk from chatterbot-corpus."""

import csv
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import yaml

from hub.demo.ledgers import Label
from hub.errors import HubError

FILE = Path(__file__).with_name("openers.tsv")
UNSAFE = "<【"
"""Signs that a phone shows otherwise than they were typed: sentences with them would look as if masked."""


@dataclass(frozen=True)
class Opener:
    """A shop's customer's first sentence, the team that a person would send it to, and what should happen to it."""

    text: str
    team: str
    label: Label


def openers() -> list[Opener]:
    """All of openers.tsv, in the file's order."""
    with FILE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    return [Opener(text, team, cast(Label, label)) for text, team, label in rows]


def small_talk() -> list[str]:
    """The Chinese sentences of the chatterbot-corpus package, each once. Raises HubError when it is not installed."""
    found = importlib.util.find_spec("chatterbot_corpus")
    if found is None or found.origin is None:
        raise HubError("chatterbot-corpus is missing, whose sentences the demo's visitors say: make setup installs it")
    sentences = [
        str(sentence).strip()
        for file in sorted((Path(found.origin).parent / "data" / "chinese").glob("*.yml"))
        for conversation in yaml.safe_load(file.read_text(encoding="utf-8"))["conversations"]
        for sentence in conversation
    ]
    return [one for one in dict.fromkeys(sentences) if one and not any(sign in one for sign in UNSAFE)]
