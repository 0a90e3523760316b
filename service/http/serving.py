"""Run the application under uvicorn, in one process or in several."""

from __future__ import annotations

import contextlib
import inspect
import json
import os
from typing import TYPE_CHECKING, Any

from hepagraph.ontology.errors import MissingExtraError
from hepagraph.service.http.settings import Settings

if TYPE_CHECKING:
    from fastapi import FastAPI

_SETTINGS = "HEPAGRAPH_SERVE_SETTINGS"
_TOKEN = "HEPAGRAPH_TOKEN"  # noqa: S105 - the name of a variable
CONNECTIONS = 512  # open at a time and process; more get 503 before they are read


def uvicorn_options(settings: Settings) -> dict[str, Any]:
    """Return how uvicorn is to answer: no header that names it, no log of addresses, no trust in forwarded ones."""
    from hepagraph.service.http.logs import CONFIG

    return {
        "host": settings.host,
        "port": settings.port,
        "log_config": CONFIG,
        "access_log": False,
        "server_header": False,
        "date_header": True,
        "proxy_headers": False,
        "http": "h11",
        "ws": "none",
        "limit_concurrency": CONNECTIONS,
        "timeout_keep_alive": 5,
        "timeout_graceful_shutdown": 10,
        "h11_max_incomplete_event_size": 16 * 1024,
    }


def run(settings: Settings, ontology: str | None) -> None:
    """Answer until the process is told to stop.

    Raises
    ------
    MissingExtraError
        uvicorn or FastAPI is not installed.
    OntologyError
        The ontology cannot be loaded.
    HepagraphError
        It cannot listen where it should.
    """
    try:
        import uvicorn
        from uvicorn.supervisors import Multiprocess
    except ImportError:
        raise MissingExtraError("The HTTP server", "serve") from None
    from hepagraph.service.http.listening import address_of, bound
    from hepagraph.service.http.logs import event

    options = uvicorn_options(settings)
    with bound(settings.host, settings.port) as sockets:
        application = _application(settings, ontology)  # with several, so that a mistake shows here, once
        if settings.workers > 1:
            os.environ[_SETTINGS] = json.dumps({"settings": settings.to_dict(), "ontology": ontology})
            if settings.token is not None:
                os.environ[_TOKEN] = settings.token
            factory = f"{__name__}:application_of_environment"
            config = uvicorn.Config(factory, factory=True, workers=settings.workers, **options)
        else:
            config = uvicorn.Config(application, **options)
        event("listening", addresses=[address_of(one) for one in sockets])
        server = uvicorn.Server(config)
        if settings.workers > 1:
            supervisor: Any = Multiprocess
            older = "target" in inspect.signature(supervisor).parameters  # of uvicorn
            supervisor(config, **({"target": server.run} if older else {}), sockets=sockets).run()
        else:
            with contextlib.suppress(KeyboardInterrupt):  # it ends in good order, and then says so once more
                server.run(sockets=sockets)


def application_of_environment() -> FastAPI:
    """Return the application of a worker process, set up as its parent was."""
    found = json.loads(os.environ[_SETTINGS])
    given = {**found["settings"], "origins": tuple(found["settings"]["origins"]), "token": os.environ.get(_TOKEN)}
    return _application(Settings(**given), found["ontology"])


def _application(settings: Settings, ontology: str | None) -> FastAPI:
    from hepagraph.service.doors import Doors
    from hepagraph.service.http.app import create_app

    return create_app(Doors.load(ontology), settings)
