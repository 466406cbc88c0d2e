"""A new machine gets its certificate: with a token, and with a key that never leaves it.

The machine first takes the authority's certificate from whoever answers, and believes it only if
its hash is that of the token. It then opens a second connection, on which the other side must show
the master's certificate of that authority, tells the secret, and lets its key be signed.
"""

import contextlib
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn, final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from bohb_seg import machine
from bohb_seg.errors import ServiceError, SettingsError
from bohb_seg.retry import Retry
from bohb_seg.rpc import certificates, lines, values
from bohb_seg.rpc.holders import Holder, holder_in
from bohb_seg.rpc.invitations import Token, fingerprint
from bohb_seg.rpc.tls import AUTHORITY

PATIENCE = 15.0
"""Seconds for which a broken conversation is begun again; a key gets its certificate as often as it
asks."""
_BROKEN = (OSError, ValueError)


def join(token: Token, folder: Path, host: str, port: int) -> None:
    """Gets a certificate and writes it with its key, as ``bohb-worker --tls`` wants them.

    Args:
        token: Token of the invitation.
        folder: Is created; it holds no certificates yet.
        host: Host on which the invitation waits.
        port: Its port.

    Raises:
        ServiceError: nobody answers there, somebody else does, or the token is refused.
        SettingsError: the folder holds certificates, or cannot be written.
    """
    if (folder / AUTHORITY).exists():
        raise SettingsError(f"{folder / AUTHORITY} exists already; choose another folder")
    certificates.write(folder, {})  # before the token is used up
    guest = _Guest(token, host, port)
    authority = guest.authority()
    key = ec.generate_private_key(ec.SECP256R1())
    retry = Retry(f"{guest.place} does not answer", patience=PATIENCE)
    while True:
        try:
            guest.certify(authority, key, folder)
            return
        except _BROKEN as error:
            if not retry.pause(error):
                guest.give_up(error)


@final
class _Guest:
    """Our side of the conversation.

    Args:
        token: Token of the invitation.
        host: Host on which the invitation waits.
        port: Its port.
    """

    def __init__(self, token: Token, host: str, port: int) -> None:
        self._token, self._address = token, (host, port)
        self.place = machine.location(host, port)

    def authority(self) -> x509.Certificate:
        """The authority's certificate, which is that of the token.

        Raises:
            ServiceError: nobody answers, or somebody else does.
        """
        anybody = _context()
        anybody.verify_mode = ssl.CERT_NONE  # its hash is compared
        try:
            with self._connected(anybody) as peer:
                told = self._answer(peer, "authority", ask="authority")
                found = x509.load_pem_x509_certificate(told.encode())
        except _BROKEN as error:
            self.give_up(error)
        if fingerprint(found) != self._token.authority:
            raise ServiceError(
                f"{self.place} belongs to another authority than the token; check --host and"
                " --port, for somebody else answers there"
            )
        return found

    def certify(
        self, authority: x509.Certificate, key: ec.EllipticCurvePrivateKey, folder: Path
    ) -> None:
        """Lets a key be signed, and writes what is needed to use it.

        Raises:
            ServiceError: the other side is not the master's, or refuses.
            SettingsError: the folder cannot be written.
            OSError: the conversation was broken; it may be begun again.
            ValueError: so it was, by words that make no sense.
        """
        pem = authority.public_bytes(serialization.Encoding.PEM).decode()
        ours = _context()
        ours.load_verify_locations(cadata=pem)
        known = {"name": self._token.name, "secret": self._token.secret}
        with self._connected(ours) as peer:
            self._demand_master(peer)
            request = {"ask": "certificate", "request": _request(key), **known}
            signed = self._answer(peer, "certificate", **request)
            if not self._is_ours(signed, authority, key):
                raise ServiceError(f"{self.place} sends a certificate of somebody else")
            files = {"worker.key": certificates.key_pem(key), "worker.pem": signed.encode()}
            certificates.write(folder, {**files, AUTHORITY: pem.encode()})
            with contextlib.suppress(*_BROKEN):  # then it waits a little longer
                self._answer(peer, "kept", ask="kept", **known)

    def give_up(self, error: Exception) -> NoReturn:
        """Raises the error of a conversation that cannot be had.

        Raises:
            ServiceError: always.
        """
        raise ServiceError(
            f"nobody gives out certificates at {self.place} ({values.line(error)}); check --host"
            " and --port, or ask for a new invitation if that was used or is over"
        ) from None

    @contextlib.contextmanager
    def _connected(self, context: ssl.SSLContext) -> Iterator[ssl.SSLSocket]:
        plain = socket.create_connection(self._address, lines.WHOLE_TIME)
        with plain, context.wrap_socket(plain) as peer:
            yield peer

    def _demand_master(self, peer: ssl.SSLSocket) -> None:
        shown = x509.load_der_x509_certificate(peer.getpeercert(binary_form=True) or b"")
        if holder_in(shown).role != "master":
            raise ServiceError(
                f"{self.place} shows the certificate of a worker; check --host and --port, for"
                " somebody else answers there"
            )

    def _answer(self, peer: ssl.SSLSocket, wanted: str, **question: str) -> str:
        lines.say(peer, **question)
        answer = lines.hear(peer, time.monotonic() + lines.WHOLE_TIME)
        if "refused" in answer:
            raise ServiceError(f"{self.place} refuses: {values.line(answer['refused'])}")
        if wanted not in answer:
            raise ValueError("the answer makes no sense")
        return answer[wanted]

    def _is_ours(
        self, pem: str, authority: x509.Certificate, key: ec.EllipticCurvePrivateKey
    ) -> bool:
        try:
            found = x509.load_pem_x509_certificate(pem.encode())
            found.verify_directly_issued_by(authority)
            holder = holder_in(found)
        except (ValueError, TypeError, InvalidSignature):
            return False
        is_for_us = holder == Holder("worker", self._token.name)
        return is_for_us and found.public_key() == key.public_key()


def _request(key: ec.EllipticCurvePrivateKey) -> str:
    """A request to sign a key; the authority knows the name and takes nothing else from it."""
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    signed = request.sign(key, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM).decode()


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = False  # the certificate's role is looked at instead
    return context
