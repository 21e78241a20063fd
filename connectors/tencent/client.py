"""The HTTP client for Tencent's servers: short time-outs, no redirects, and no secret in the log."""

import logging

import httpx

from connectors.http.transport import Transport

CONNECT_S, ANSWER_S = 2.0, 5.0


def open_client(base_url: str) -> httpx.AsyncClient:
    """A client for `base_url`. A redirect is not followed: it would carry the token in the URL somewhere else."""
    logging.getLogger("httpx").addFilter(_without_query)  # adding it again changes nothing
    return httpx.AsyncClient(
        base_url=base_url,
        timeout=httpx.Timeout(ANSWER_S, connect=CONNECT_S),
        transport=Transport(base_url),
    )


def _without_query(record: logging.LogRecord) -> bool:
    """Cut the query off the URLs that httpx logs: Tencent wants access token and secret there."""
    if isinstance(record.args, tuple):
        record.args = tuple(arg.copy_with(query=None) if isinstance(arg, httpx.URL) else arg for arg in record.args)
    return True
