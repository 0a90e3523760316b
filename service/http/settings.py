"""How the server is set up: where it listens, who may ask, and how much of anything."""

from __future__ import annotations

import ipaddress
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from hepagraph.ontology.errors import HepagraphError
from hepagraph.service.sparql_limits import SparqlLimits

SHORTEST_TOKEN = 16
SPARQL = SparqlLimits()


@dataclass(frozen=True, slots=True)
class Settings:
    """Sizes are in bytes, times in seconds.

    ``threads`` requests are worked on at a time and ``queue`` more wait; whoever comes then is told to come again.
    ``batches`` streams run beside them. ``per_client`` is how many requests one address may have open; 0: any number.
    ``origins`` are the web origins whose pages may ask (CORS); none by default. A SPARQL query gets ``sparql_rows``
    rows and ``sparql_seconds``, in one of ``sparql_processes`` processes of ``sparql_mebibytes`` each.
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
    per_client: int = 0
    sparql_seconds: float = SPARQL.seconds
    sparql_rows: int = SPARQL.rows
    sparql_processes: int = SPARQL.processes
    sparql_mebibytes: int = SPARQL.mebibytes

    def check(self) -> Settings:
        """Return the settings, with origins as browsers spell them.

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
        for name, value in asdict(self).items():
            least = -1 if name in ("queue", "port", "per_client") else 0
            if isinstance(value, int | float) and not least < value < float("inf"):
                raise HepagraphError(f"{name} must be {'0 or more' if least else 'more than 0'}, and a finite number")
        if self.port >= 2**16:
            raise HepagraphError("the port must be from 0 to 65535")
        return replace(self, origins=tuple(origin.rstrip("/").lower() for origin in self.origins))

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
