"""Mail as it comes in: what each sample becomes, and that no bytes at all do harm."""

import json
from pathlib import Path
from typing import Any

import pytest

from connectors.email.bounces import Bounce
from connectors.email.mail import Mail, read_mail

SAMPLES = sorted(Path(__file__).parent.glob("samples/*.eml"))
OURS = ["kefu@example.com"]
KEY = b"key of the samples"


def read(data: bytes) -> Mail:
    return read_mail(data, OURS, KEY)


def as_written(mail: Mail, expected: dict[str, Any]) -> dict[str, Any]:
    """What the mail became, in the form in which a sample's JSON says it; html and the reason only where it does."""
    found = {
        "sender": [mail.sender.address, mail.sender.name],
        "subject": mail.subject,
        "visible": mail.visible,
        "quoted": mail.quoted,
        "kind": mail.kind,
        "notes": list(mail.notes),
        "files": [[file.name, file.type, len(file.data), file.inline] for file in mail.files],
    }
    return found | {name: getattr(mail, name) for name in ("html", "because") if name in expected}


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_a_sample_becomes_what_stands_beside_it(sample: Path) -> None:
    expected = json.loads(sample.with_suffix(".json").read_text("utf-8"))
    bounce = expected.pop("bounce", None)
    expected = {"kind": "personal", "notes": [], "files": []} | expected
    mail = read(sample.read_bytes())
    assert as_written(mail, expected) == expected
    assert mail.bounce == (bounce and Bounce(**bounce | {"recipients": tuple(bounce["recipients"])}))
