"""`channels.email` in config/hub.yaml: the mailbox that is read, the server that sends, and how."""

import base64
from typing import Literal, Self

import pydantic

from connectors.email.compose import is_address

LONGEST_LOCAL = 8
"""Characters before the @ that leave room for a signed tag: 64 octets (RFC 5321, 4.5.3.1.1) without `+`, the longest
id of a conversation (`p1023-email-` and 26 characters), `.` and its 16 of signature."""

Tls = Literal["tls", "starttls", "none"]
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Server(pydantic.BaseModel, frozen=True, extra="forbid"):
    """Where a mail server is, and who we are there. Its certificate is verified; `none` is for loopback only."""

    host: str = pydantic.Field(min_length=1)
    port: int = pydantic.Field(ge=1, le=65535)
    tls: Tls = "tls"
    user: str = pydantic.Field("", pattern=r"^[ -~]*$")
    password: pydantic.SecretStr = pydantic.SecretStr("")

    @pydantic.field_validator("password")
    @classmethod
    def _is_plain(cls, password: pydantic.SecretStr) -> pydantic.SecretStr:
        text = password.get_secret_value()
        if not text.isascii() or (text and not text.isprintable()):
            raise ValueError("may hold printable ASCII only: servers disagree on how other letters are written")
        return password

    @pydantic.model_validator(mode="after")
    def _is_encrypted(self) -> Self:
        if self.tls == "none" and self.host not in _LOOPBACK:
            raise ValueError(f"tls: none would send the password to {self.host} for all to read; use tls or starttls")
        return self

    def hide(self, said: str) -> str:
        """What a server said without our password in any form: some repeat what they do not understand."""
        password = self.password.get_secret_value()
        if not password:
            return said
        quoted = password.replace("\\", "\\\\").replace('"', '\\"')  # IMAP's LOGIN
        # SMTP's AUTH PLAIN and AUTH LOGIN
        plain, login = (base64.b64encode(sent.encode()).decode() for sent in (f"\0{self.user}\0{password}", password))
        for form in (plain, login, quoted, password):
            said = said.replace(form, "***")
        return said


class Imap(Server):
    """The mailbox in which visitors' mail arrives.

    `since_days`: how far back is read at the first start, or when the server has numbered the mailbox anew. `after`:
    what becomes of a mail that the hub has: "keep", "seen" marks it as read, anything else is a folder to move it to.
    """

    port: int = pydantic.Field(993, ge=1, le=65535)
    folder: str = pydantic.Field("INBOX", min_length=1)
    since_days: int = pydantic.Field(7, ge=1, le=365)
    after: str = pydantic.Field("keep", min_length=1)


class Smtp(Server):
    """The server that takes our mail. Without a `user` nobody signs in."""

    port: int = pydantic.Field(465, ge=1, le=65535)


class EmailSettings(pydantic.BaseModel, frozen=True, extra="forbid"):
    """`channels.email`.

    `address` is what visitors write to and answers come from, `name` what they read beside it. `reply_to_base`: the
    address whose `+tag` variants reach the mailbox, if it is another one; `plus_addressing` off where the provider has
    no such variants. `bulk`: whether newsletters and lists become messages. `fold_s`: answers within that time are one
    mail. `verified_by`: by what name the server that takes our mail in signs its Authentication-Results; where it is
    said, an agent's mail counts only with its dmarc=pass.
    """

    address: str
    name: str = ""
    imap: Imap
    smtp: Smtp
    reply_to_base: str = ""
    plus_addressing: bool = True
    bulk: Literal["keep", "drop"] = "keep"
    fold_s: int = pydantic.Field(60, ge=0, le=3600)
    verified_by: str = pydantic.Field("", pattern=r"^[!-:<-~]*$")

    @pydantic.field_validator("address", "reply_to_base")
    @classmethod
    def _is_address(cls, text: str) -> str:
        if text and not is_address(text):
            raise ValueError(f'"{text}" is no mail address; one looks like kefu@example.com')
        return text

    @pydantic.model_validator(mode="after")
    def _has_room_for_a_tag(self) -> Self:
        if not self.address:
            raise ValueError("address is missing: what do visitors write to?")
        local = self.base.partition("@")[0]
        if self.plus_addressing and len(local) > LONGEST_LOCAL:
            raise ValueError(
                f'"{local}" leaves no room for +tag in the 64 octets of a mailbox: set reply_to_base to an alias of at'
                f" most {LONGEST_LOCAL} characters before the @, or plus_addressing: false"
            )
        return self

    @property
    def base(self) -> str:
        """The address to which signed tags are added."""
        return self.reply_to_base or self.address

    @property
    def ours(self) -> tuple[str, ...]:
        """All addresses that are us."""
        return tuple(dict.fromkeys((self.address, self.base)))

    @property
    def domain(self) -> str:
        """What our message ids end with."""
        return self.address.rpartition("@")[2]
