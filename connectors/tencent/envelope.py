"""Tencent's signed and encrypted envelope: opened and sealed the same way for WeCom, KF and official accounts.

What is encrypted is 16 random bytes, the text's length, the text, and the receiver's id; AES-256-CBC, padded to 32
bytes. The signature is SHA-1 over the sorted token, timestamp, nonce and ciphertext
(developer.work.weixin.qq.com/document/path/90968). The cipher itself is wechatpy's.
"""

import base64
import dataclasses
import hmac

import xmltodict  # type: ignore[import-untyped]
from wechatpy.crypto import PrpCrypto  # type: ignore[import-untyped]
from wechatpy.utils import WeChatSigner  # type: ignore[import-untyped]

BLOCK = 32
"""Bytes that the padding fills up to, although AES has blocks of 16."""

TEXT_AT = 16 + 4
"""Where the text begins in what is encrypted: behind the random bytes and its own length, high byte first."""

MOST_TAGS = 100
"""Of an envelope: it has three elements, or a few more."""


class NotGenuine(Exception):
    """The envelope does not prove that it is for us: wrong signature, or another receiver. Holds no secret."""


class Unreadable(Exception):
    """The envelope is genuine, and yet no text came out: the EncodingAESKey is another one, or it was damaged."""


@dataclasses.dataclass(frozen=True)
class Sealed:
    """A ciphertext in base64 and the signature that goes with it."""

    encrypted: str
    signature: str


class Envelope:
    """Opens and seals for one receiver.

    `receive_id` is the corp id for a self-built app, the app id for an official account, empty for a robot.
    ValueError when `aes_key` (the console's EncodingAESKey) is not 43 characters long; they stand for 32 bytes.
    """

    def __init__(self, token: str, aes_key: str, receive_id: str) -> None:
        if len(aes_key) != 43:
            raise ValueError("an EncodingAESKey has 43 letters and digits; copy it again from the console")
        self._token = token
        self._receive_id = receive_id
        self._crypto = PrpCrypto(base64.b64decode(aes_key + "="))

    def check(self, encrypted: str, signature: str, timestamp: str, nonce: str) -> None:
        """Raise NotGenuine unless whoever sealed it knows the Token."""
        # wechatpy compares with !=, which tells by its time how much of a guess was right
        if not hmac.compare_digest(self._sign(encrypted, timestamp, nonce).encode(), signature.encode()):
            raise NotGenuine("the signature does not match: is the Token the console's?")

    def open(self, encrypted: str) -> str:
        """The text inside. Raises NotGenuine for another's, or Unreadable."""
        try:
            text, receiver = _unpacked(self._crypto.cipher.decrypt(base64.b64decode(encrypted)))
        except ValueError as error:
            raise Unreadable(f"cannot be decrypted ({error}): is the EncodingAESKey right?") from None
        if receiver != self._receive_id:
            raise NotGenuine("it is addressed to another corp or app id than the one that is set")
        return text

    def seal(self, text: str, timestamp: str, nonce: str) -> Sealed:
        """What Tencent would send for `text`; for stand-ins."""
        encrypted = self._crypto.encrypt(text, self._receive_id).decode()
        return Sealed(encrypted, self._sign(encrypted, timestamp, nonce))

    def _sign(self, encrypted: str, timestamp: str, nonce: str) -> str:
        signer = WeChatSigner()
        signer.add_data(self._token, timestamp, nonce, encrypted)
        return str(signer.signature)


def _unpacked(plain: bytes) -> tuple[str, str]:
    """The text and the receiver's id. ValueError for what nobody can have packed.

    wechatpy's own reading checks neither padding nor length, and takes one in some hundred texts that were decrypted
    with a wrong key for one that is addressed to somebody else: that is to be refused, and this is to be kept.
    """
    padding = plain[-1] if plain else 0
    end = len(plain) - padding
    if not 1 <= padding <= BLOCK or plain[end:] != bytes([padding]) * padding:
        raise ValueError("its padding is wrong")
    after = TEXT_AT + int.from_bytes(plain[TEXT_AT - 4 : TEXT_AT])
    if not TEXT_AT <= after <= end:
        raise ValueError("its length is wrong")
    return plain[TEXT_AT:after].decode(), plain[after:end].decode()


def encrypted_part(body: bytes) -> str:
    """The <Encrypt> of a callback's outer XML; NotGenuine when there is none. Entities and DTDs are refused."""
    if body.count(b"<") > MOST_TAGS:  # anybody may send this, and a deep tree takes a second to be built
        raise NotGenuine("the body is not an XML envelope with <Encrypt>")
    try:
        encrypted = xmltodict.parse(body)["xml"]["Encrypt"]
    except Exception:  # whoever sends rubbish has not proved to be Tencent: one answer for every way to fail
        raise NotGenuine("the body is not an XML envelope with <Encrypt>") from None
    if not isinstance(encrypted, str):
        raise NotGenuine("the envelope's <Encrypt> is empty or stands there twice")
    return encrypted
