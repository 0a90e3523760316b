"""Who calls: the host that they ask for, the page that lets them ask, and how much one address asks at a time."""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from ipaddress import IPv6Address, ip_address, ip_network

from hepagraph.service.http.problems import RETRY, RequestError
from hepagraph.service.http.settings import is_loopback

_HOST = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<name>[^\[\]:]+))(?::[0-9]*)?")


def names_this_machine(host: str) -> bool:
    """Return whether a Host header names the machine itself.

    >>> names_this_machine("LOCALHOST:80"), names_this_machine("[::1]:80"), names_this_machine("[::1].example.org")
    (True, True, False)
    """
    found = _HOST.fullmatch(host)
    return found is not None and is_loopback((found["six"] or found["name"]).lower())


def from_another_page(headers: Mapping[bytes, bytes], origins: Collection[str]) -> bool:
    """Return whether a browser says that a page of an origin that is not listed asks, other than by a link to here."""
    if headers.get(b"sec-fetch-site") not in (b"cross-site", b"same-site"):
        return False
    followed = headers.get(b"sec-fetch-mode") == b"navigate" and headers.get(b"sec-fetch-dest") == b"document"
    return not followed and headers.get(b"origin", b"").decode("latin-1") not in origins


class Peers:
    """Counts the requests that each address has open; ``most`` of one are let in, any number if it is 0."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._open: Counter[str] = Counter()

    @contextlib.contextmanager
    def place(self, address: str) -> Iterator[None]:
        """Hold a place of an address.

        Raises
        ------
        RequestError
            The address has none left (429, with Retry-After).
        """
        if not self.most:
            yield
            return
        peer = network_of(address)
        if self._open[peer] >= self.most:
            detail = f"Your address has {self.most} requests open. Ask again when one is answered."
            raise RequestError(429, detail, headers=RETRY)
        self._open[peer] += 1
        try:
            yield
        finally:
            self._open[peer] -= 1
            if not self._open[peer]:
                del self._open[peer]


def network_of(address: str) -> str:
    """Return what stands for one client: its address, or the network of one that may have many (IPv6).

    >>> network_of("192.0.2.7"), network_of("::ffff:192.0.2.7"), network_of("2001:db8::1:2:3:4")
    ('192.0.2.7', '192.0.2.7', '2001:db8::/64')
    """
    try:
        found = ip_address(address)
    except ValueError:  # a socket of the machine itself, or none
        return address
    if not isinstance(found, IPv6Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ip_network((int(found), 64), strict=False))
