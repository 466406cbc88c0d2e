"""Access to the dashboard.

With a secret, everybody who brings it may look: once in the link, from then on in a cookie. Without
a secret, on loopback, a request must call this machine by a name of its own. A web page elsewhere
whose name was made to lead here (DNS rebinding) calls it by another name, and is refused.
"""

import hmac
import ipaddress
from collections.abc import Mapping
from email.message import Message
from typing import final
from urllib.parse import urlsplit

_OTHER_NAME = "open this page as http(s)://localhost or by this machine's address"
_NO_SECRET = "open the link that ends in ?token=...; the master's log has it"


@final
class AccessPolicy:
    """Decides which requests are answered.

    Args:
        token: The secret that every request must bring; "" on loopback, where none is needed.
        host: Name by which this machine is called if there is no token.
        run_id: Name of the run. It tells cookies apart, which browsers send to all ports.
        secure: Whether the cookie must not travel unencrypted.
    """

    def __init__(self, token: str, host: str, run_id: str, secure: bool) -> None:
        self._token, self._host = token, host.lower()
        self._cookie = f"bohb-{run_id}={token}"
        flags = "; Path=/; HttpOnly; SameSite=Strict" + ("; Secure" if secure else "")
        self.cookie = f"{self._cookie}{flags}"

    def refusal(self, headers: Message, query: Mapping[str, list[str]]) -> str:
        """Advice for somebody who may not look; "" if he may.

        Raises:
            ValueError: the host of the request is malformed.
        """
        if not self._token:
            host = urlsplit(f"//{headers.get('Host', '')}").hostname or ""
            return "" if host == self._host or _is_here(host) else _OTHER_NAME
        cookies = [each.strip() for each in headers.get("Cookie", "").split(";")]
        is_known = any(_same(each, self._cookie) for each in cookies)
        return "" if is_known or self.brings_token(query) else _NO_SECRET

    def brings_token(self, query: Mapping[str, list[str]]) -> bool:
        """Whether a link has the secret in it."""
        return bool(self._token) and _same(query.get("token", [""])[0], self._token)


def _same(one: str, other: str) -> bool:
    """Whether two strings are equal; the time it takes tells nothing about them."""
    return hmac.compare_digest(one.encode(), other.encode())


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
