"""The sockets that the server listens on, taken before anything is loaded, so that a taken port is told at once."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from collections.abc import Iterator

from hepagraph.ontology.errors import HepagraphError


@contextlib.contextmanager
def bound(host: str, port: int) -> Iterator[list[socket.socket]]:
    """Give a socket for every address of a host, all at the same port; 0 lets the system choose one.

    Raises
    ------
    HepagraphError
        The host has no address here, or the port is taken.
    """
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise HepagraphError(f"{host}: is no address of this machine: {error.strerror or error}") from None
    with contextlib.ExitStack() as held:
        sockets: list[socket.socket] = []
        failed: OSError | None = None
        several = len({address for *_, address in found}) > 1
        for family, kind, protocol, _, address in dict.fromkeys(found):
            used = sockets[0].getsockname()[1] if sockets else port
            try:
                one = held.enter_context(socket.socket(family, kind, protocol))
                if os.name == "posix":
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if several and family == socket.AF_INET6:
                    one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                one.bind((address[0], used, *address[2:]))
            except OSError as error:  # a machine without IPv6 may still name it
                if error.errno == errno.EADDRINUSE or failed is not None:
                    raise _refusal(host, used, error) from None
                failed = error
                continue
            one.set_inheritable(True)
            sockets.append(one)
        if not sockets and failed is not None:
            raise _refusal(host, port, failed) from None
        yield sockets


def _refusal(host: str, port: int, error: OSError) -> HepagraphError:
    advice = "; give another --port, or 0 for any that is free" if error.errno == errno.EADDRINUSE else ""
    return HepagraphError(f"{host} port {port}: cannot listen there: {error.strerror or error}{advice}")


def address_of(listening: socket.socket) -> str:
    """Return the address of a socket as clients write it."""
    host, port, *_ = listening.getsockname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
