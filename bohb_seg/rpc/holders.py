"""The holder of a certificate: which half of a run it is, and which worker if it is one alone."""

import re
from dataclasses import dataclass
from typing import Final, Literal, get_args

from cryptography import x509

Role = Literal["master", "worker"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)

_WORKERS_OWN = "urn:bohb-seg:name:"
"""Beginning of the alternative name by which a certificate carries the name of one worker."""
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,62}")
"""Names without dots, so that they end where the next part of a worker's name begins."""


@dataclass(frozen=True)
class Holder:
    """A certificate's holder.

    Args:
        role: Which half of the run it is.
        name: The worker's own name; its role where all of that role share a certificate.
    """

    role: Role
    name: str

    @property
    def is_personal(self) -> bool:
        """Whether the certificate is that of a single worker, or of one machine's workers."""
        return self.name != self.role


def holder_in(certificate: x509.Certificate) -> Holder:
    """Holder that a certificate names in its alternative names.

    Raises:
        ValueError: it has no role, or several, or a name that no worker can have.
    """
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        raise ValueError("no alternative names") from None
    addresses = names.get_values_for_type(x509.UniformResourceIdentifier)
    (role,) = [role for role in ROLES if _role_address(role) in addresses]
    found = [each for each in addresses if each.startswith(_WORKERS_OWN)]
    if not found:
        return Holder(role, role)
    (name,) = (each.removeprefix(_WORKERS_OWN) for each in found)
    if role != "worker" or not is_own_name(name):
        raise ValueError("a name that no worker can have")
    return Holder(role, name)


def is_own_name(name: str) -> bool:
    """Whether a single worker's certificate can be issued to this name."""
    return name not in ROLES and _NAME.fullmatch(name) is not None


def alternative_names(holder: Holder) -> list[str]:
    """Alternative names by which a certificate tells its holder."""
    own = [f"{_WORKERS_OWN}{holder.name}"] if holder.is_personal else []
    return [_role_address(holder.role), *own]


def _role_address(role: Role) -> str:
    return f"urn:bohb-seg:{role}"
