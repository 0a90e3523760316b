"""How the server is set up: where it listens, who may ask, and how much of anything."""

from __future__ import annotations

import ipaddress
from dataclasses import asdict, dataclass, field
from typing import Any

from hepagraph.ontology.errors import HepagraphError

SHORTEST_TOKEN = 16


@dataclass(frozen=True, slots=True)
class Settings:
    """Sizes are in bytes, times in seconds.

    ``threads`` requests are worked on at a time and ``queue`` more wait; whoever comes then is told to come again.
    ``batches`` streams run beside them. ``origins`` are the web origins whose pages may ask (CORS); none by default.
    """

    host: str = "127.0.0.1"
    port: int = 8765
    token: str | None = field(default=None, repr=False)
    origins: tuple[str, ...] = ()
    workers: int = 1
    threads: int = 2
    queue: int = 16
    batches: int = 2
    seconds: float = 60.0
    body_bytes: int = 2**20
    depth: int = 32
    values: int = 20_000
    lesions: int = 20
    scenarios: int = 100
    batch_bytes: int = 2**34
    message_bytes: int = 2**24
    lines: int = 10_000_000

    def check(self) -> Settings:
        """Return the settings as they are.

        Raises
        ------
        HepagraphError
            They would answer other machines without a token, the token is too weak, or a number is not possible.
        """
        if self.token is None and not is_loopback(self.host):
            raise HepagraphError(
                f"{self.host} can be reached from other machines: give a token (--token-file or HEPAGRAPH_TOKEN), "
                "or listen on 127.0.0.1"
            )
        if self.token is not None and (
            len(self.token) < SHORTEST_TOKEN or not all("!" <= character <= "~" for character in self.token)
        ):
            raise HepagraphError(
                f"the token must be at least {SHORTEST_TOKEN} printable ASCII characters without a blank; make one "
                "with python -c 'import secrets; print(secrets.token_urlsafe(32))'"
            )
        for origin in self.origins:
            if origin == "*" or not origin.startswith(("http://", "https://")) or origin.rstrip("/").count("/") != 2:
                raise HepagraphError(f"{origin[:80]!r} is not a web origin such as https://example.org; * is refused")
        sizes = {n: v for n, v in asdict(self).items() if isinstance(v, int | float) and n not in ("queue", "port")}
        for name, value in sizes.items():
            if value <= 0:
                raise HepagraphError(f"{name} must be more than 0")
        if self.queue < 0 or not 0 <= self.port < 2**16:
            raise HepagraphError("the queue must be 0 or more, and the port from 0 to 65535")
        return self

    def to_dict(self) -> dict[str, Any]:
        """Return all settings but the token, which is handed on apart."""
        return {name: value for name, value in asdict(self).items() if name != "token"}


def is_loopback(host: str) -> bool:
    """Return whether an address can be reached from this machine only.

    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, True, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
