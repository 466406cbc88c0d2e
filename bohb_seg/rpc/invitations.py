"""Invitations: who may get a certificate without anybody carrying a key to it.

An invitation is for one name and one time, and good for one public key. Its *token* holds the name,
the hash of the authority's certificate, by which a new machine knows the right authority, and a
secret, by which the authority knows the right machine. Invitations end with the process that made
them, and stand in no file.

Taken from others: the hash and the secret in one token from Docker Swarm, a key that never leaves
its machine from ``kubeadm join``, a token that counts once from ``step ca``.
"""

import hashlib
import hmac
import re
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Self, final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from bohb_seg.errors import ServiceError, SettingsError
from bohb_seg.rpc.holders import is_own_name

_KIND = "bohb1"
"""Beginning of a token, by which people and programs that look for secrets know it."""
_SECRET_BYTES: Final = 32
_TOKEN = re.compile(rf"{_KIND}\.([^.]{{1,63}})\.([0-9a-f]{{64}})\.([A-Za-z0-9_-]{{43}})")

Sign = Callable[[str, ec.EllipticCurvePublicKey], str]
"""Issues a certificate for this name and public key, in PEM.

It may raise :class:`~bohb_seg.errors.SettingsError`."""


@dataclass(frozen=True)
class Token:
    """The words of an invitation.

    Args:
        name: Name that the certificate will have.
        authority: SHA-256 of the authority's certificate, in hex.
        secret: Text that only who was invited knows.
    """

    name: str
    authority: str
    secret: str

    @classmethod
    def read(cls, text: str) -> Self:
        """The token of a text.

        Raises:
            SettingsError: it is none.
        """
        match = _TOKEN.fullmatch(text.strip())
        if match is None or not is_own_name(match[1]):
            raise SettingsError(
                "--join: this is no whole token; copy all that 'bohb-certs DIR --invite NAME' shows"
            )
        return cls(match[1], match[2], match[3])

    @property
    def text(self) -> str:
        """The token as it is handed on."""
        return ".".join((_KIND, self.name, self.authority, self.secret))


def fingerprint(authority: x509.Certificate) -> str:
    """SHA-256 of a certificate, in hex."""
    return authority.fingerprint(hashes.SHA256()).hex()


@dataclass
class _Invitation:
    """Rest of a token, and what became of it."""

    digest: str
    key: ec.EllipticCurvePublicKey | None = None
    certificate: str = ""
    is_kept: bool = False


@final
class Invitations:
    """The invitations of one process; for any thread.

    Args:
        names: Names that are invited.
        authority: The authority's certificate.
        seconds: Time after which they are over.
        sign: Issues the certificates.

    Attributes:
        tokens: The token of each name.
    """

    def __init__(
        self, names: tuple[str, ...], authority: x509.Certificate, seconds: float, sign: Sign
    ) -> None:
        its = fingerprint(authority)
        self.tokens: Mapping[str, Token] = {
            name: Token(name, its, secrets.token_urlsafe(_SECRET_BYTES)) for name in names
        }
        self._invited = {n: _Invitation(_digest(t.secret)) for n, t in self.tokens.items()}
        self._nobody = _Invitation(_digest(secrets.token_urlsafe(_SECRET_BYTES)))
        self._until = time.monotonic() + seconds
        self._sign = sign
        self._lock = threading.Lock()

    @property
    def waits(self) -> bool:
        """Whether somebody may still come."""
        return bool(self.missing) and time.monotonic() < self._until

    @property
    def missing(self) -> list[str]:
        """Names of those who have not joined."""
        return [name for name, invited in self._invited.items() if not invited.is_kept]

    def certify(self, name: str, secret: str, request: str) -> str:
        """Issues the certificate of an invitation, once; to the same key again if it asks again.

        Args:
            name: Name of who was invited.
            secret: Secret of the token.
            request: Request to sign a public key, in PEM; its other content does not matter.

        Returns:
            The certificate in PEM.

        Raises:
            ServiceError: the token is wrong, used or over, or the request is none.
            SettingsError: the certificate cannot be issued; the token was not used.
        """
        invited = self._invitation(name, secret)
        key = _public_key(request)
        with self._lock:
            if invited.key is None:
                invited.certificate = self._sign(name, key)
                invited.key = key
            elif invited.key != key:
                raise ServiceError(
                    f"the token of {name} was used already; if not by you, let the certificate be"
                    f" refused by 'bohb-certs DIR --revoke {name}', and ask for another name"
                )
            return invited.certificate

    def keep(self, name: str, secret: str) -> None:
        """Notes that the certificate has arrived.

        Raises:
            ServiceError: the token is wrong or over.
        """
        invited = self._invitation(name, secret)
        invited.is_kept = invited.key is not None

    def _invitation(self, name: str, secret: str) -> _Invitation:
        invited = self._invited.get(name, self._nobody)
        is_right = hmac.compare_digest(_digest(secret), invited.digest)
        if not is_right or invited is self._nobody:
            raise ServiceError("the token is not one of these invitations; ask for a new one")
        if time.monotonic() >= self._until:
            raise ServiceError(f"the invitation of {name} is over; ask for a new one")
        return invited


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def _public_key(request: str) -> ec.EllipticCurvePublicKey:
    """The key that a request asks to certify, if whoever asks has its private half."""
    try:
        asked = x509.load_pem_x509_csr(request.encode())
        key = asked.public_key()
        if not isinstance(key, ec.EllipticCurvePublicKey) or not asked.is_signature_valid:
            raise ValueError("no such key, or not theirs")
        if isinstance(key.curve, ec.SECP256R1):
            return key
    except (ValueError, TypeError, UnsupportedAlgorithm):
        pass
    raise ServiceError("the request is none for a key of P-256; install the same version on both")
