"""Certificates that this process shows, of its own accord or as an intruder would."""

import contextlib
import datetime
import ssl
import warnings
from pathlib import Path

import Pyro4
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from Pyro4 import socketutil

from bohb_seg.rpc import pyro


def context(folder=None, role="master", newest=None, server=False):
    """Shows a certificate, or none, and believes whatever it is shown."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    if newest is not None:
        made.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # which is why it is tried
            made.minimum_version, made.maximum_version = ssl.TLSVersion.TLSv1, newest
    if folder is not None:
        made.load_cert_chain(folder / f"{role}.pem", folder / f"{role}.key")
    return made


def show(folder=None, role="master", **how):
    """This process's proxies show another certificate, or none."""
    Pyro4.config.SSL = True
    vars(socketutil)["__ssl_client_context"] = context(folder, role, **how)


@contextlib.contextmanager
def nobody():
    """Puts everything back."""
    pyro.set_up_pyro()
    try:
        yield
    finally:
        pyro.set_up_pyro()


def forged(
    folder: Path, signer: Path | None, *names: str, by: str = "ca", days: tuple[int, int] = (-1, 9)
) -> Path:
    """Writes a ``worker.pem`` with alternative names of our choice.

    Args:
        folder: Is made, and returned.
        signer: Folder with the key that signs it; None: it signs itself.
        names: Its alternative names after ``urn:bohb-seg:``.
        by: Which of the signer's files issues it.
        days: Beginning and end of its validity, from now.
    """
    folder.mkdir()
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "bohb-seg worker")])
    issuer, above = name, key
    if signer is not None:
        above = serialization.load_pem_private_key((signer / f"{by}.key").read_bytes(), None)
        issuer = x509.load_pem_x509_certificate((signer / f"{by}.pem").read_bytes()).subject
    now = datetime.datetime.now(datetime.UTC)
    begin, end = (now + datetime.timedelta(days=day) for day in days)
    builder = x509.CertificateBuilder(issuer, name, key.public_key(), 7)
    builder = builder.not_valid_before(begin).not_valid_after(end)
    if names:
        found = [x509.UniformResourceIdentifier(f"urn:bohb-seg:{each}") for each in names]
        builder = builder.add_extension(x509.SubjectAlternativeName(found), critical=False)
    certificate = builder.sign(above, hashes.SHA256())
    (folder / "worker.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "worker.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return folder
