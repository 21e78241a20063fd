"""Log lines on stderr: for people on a terminal, JSON otherwise; secrets never."""

import logging
import re
import sys
from typing import Any

import structlog
from structlog.typing import EventDict, Processor

HIDDEN = "***"
SECRET_NAMES = re.compile(r"secret|token|password|authorization|aes_key|cookie", re.IGNORECASE)
SECRET_VALUES = re.compile(r"((?:[a-z_]*token|[a-z]*secret|signature)=|\bBearer )[^&\s\"']+", re.IGNORECASE)
"""A value in a query or form, and an Authorization header."""
SECRET_USERS = re.compile(r"(://)[^@/\s]+@")
"""User and password in a URL."""


def configure(process: str, level: int = logging.INFO) -> None:
    """Send this process's log lines, structlog's and those of the packages, to stderr, marked with its name."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        hide_secrets,
    ]
    terminal = sys.stderr.isatty()
    shown: Processor = structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer(
        ensure_ascii=False
    )  # fmt: skip
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *([] if terminal else [structlog.processors.format_exc_info]),
                hide_secrets,
                shown,
            ],
        )
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for chatty in ("httpx", "httpcore", "websockets", "apscheduler", "nats", "uvicorn", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(process=process)


def hide_secrets(_: Any, __: str, event: EventDict) -> EventDict:
    """Blank what is called a secret, and what looks like one inside a text (a token in a URL)."""
    for name, value in event.items():
        if SECRET_NAMES.search(name):
            event[name] = HIDDEN
        elif isinstance(value, str):
            event[name] = SECRET_USERS.sub(rf"\1{HIDDEN}@", SECRET_VALUES.sub(rf"\1{HIDDEN}", value))
    return event
