"""The application: routers behind one gate."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from hepagraph.ontology.errors import MissingExtraError
from hepagraph.service.http.settings import Settings

if TYPE_CHECKING:
    from fastapi import APIRouter, FastAPI

    from hepagraph.service.doors import Doors

    RouterFactory = Callable[[Doors, Settings], APIRouter]

# What ``create_app`` includes unless it is told otherwise: module of hepagraph.service, and the function in it that
# takes doors and settings and returns an APIRouter. One whose library is not installed raises ``MissingExtraError``
# and is left out. A route that needs no token says so with ``openapi_extra=PUBLIC``.
ROUTERS = (
    ("http.question_routes", "question_router"),
    ("http.batch_routes", "batch_router"),
    ("http.status_routes", "status_router"),
    ("http.sparql_routes", "sparql_router"),
    ("http.page_routes", "page_router"),
    ("healthcare.cds_routes", "cds_router"),
)
PUBLIC: dict[str, Any] = {"security": []}
STREAMED = "x-streamed"  # in openapi_extra: the body is read bit by bit, and may be larger than others

DESCRIPTION = """
Sourced posterior probabilities from an ontology of findings. For research and teaching; not a medical device, and no
diagnosis. Nothing that is sent is kept or logged. Errors are `application/problem+json` (RFC 9457) and list every
problem with its place, what is allowed and the nearest match.
"""


def create_app(
    doors: Doors, settings: Settings | None = None, routers: Sequence[RouterFactory] | None = None
) -> FastAPI:
    """Return the ASGI application that answers for a loaded ontology.

    ``routers`` are functions that take doors and settings and return an APIRouter; None: all of the package's own.

    Raises
    ------
    MissingExtraError
        FastAPI or prometheus-client is not installed.
    HepagraphError
        The settings are not safe or not possible.
    """
    try:
        import prometheus_client  # noqa: F401
        from fastapi import FastAPI
    except ImportError:
        raise MissingExtraError("The HTTP server", "serve") from None
    from hepagraph.service.http.guard import Gate, Watch
    from hepagraph.service.http.metrics import Metrics
    from hepagraph.service.http.openapi import described
    from hepagraph.service.http.problems import handle_errors
    from hepagraph.service.http.streams import Streams
    from hepagraph.service.http.work import Workbench

    settings = (settings or Settings()).check()
    version = str(doors.reasoner.model["version"])
    app = FastAPI(
        title="hepagraph",
        version=version,
        description=DESCRIPTION.strip(),
        openapi_url=None,  # a route of its own, behind the gate
        docs_url=None,  # they would load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_lifespan,
    )
    app.state.doors, app.state.settings = doors, settings
    app.state.workbench = Workbench(settings.threads, settings.queue, settings.seconds)
    app.state.streams = Streams(settings.batches, settings.seconds)
    app.state.metrics = Metrics(doors.model())
    app.state.ready = app.state.failed = False
    handle_errors(app)
    public, streams, methods = set(), set(), dict[str, set[str]]()
    for router in [make(doors, settings) for make in routers] if routers is not None else _own(doors, settings):
        for route in router.routes:
            extra = getattr(route, "openapi_extra", None) or {}
            path = str(getattr(route, "path", ""))
            methods.setdefault(path, set()).update(getattr(route, "methods", None) or ())
            if extra.get("security") == []:
                public.add(path)
            if extra.get(STREAMED):
                streams.add(path)
        app.include_router(router)
    app.state.methods = methods
    app.add_middleware(Gate, settings=settings, public=public, streams=streams)
    if settings.origins:
        from starlette.middleware.cors import CORSMiddleware

        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.origins),
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type"],
            expose_headers=["Retry-After", "X-SPARQL-MaxRows"],
        )
    app.add_middleware(Watch, metrics=app.state.metrics)
    app.openapi = described(app, doors)  # type: ignore[method-assign]
    return app


def _own(doors: Doors, settings: Settings) -> list[APIRouter]:
    found = []
    for module, name in ROUTERS:
        make: RouterFactory = getattr(import_module(f"hepagraph.service.{module}"), name)
        with contextlib.suppress(MissingExtraError):
            found.append(make(doors, settings))
    return found


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    from hepagraph.service.http.logs import LOG, event
    from hepagraph.service.logs import log_exception

    async def warm() -> None:
        try:
            await asyncio.to_thread(app.state.doors.warm)
        except Exception as error:
            log_exception(LOG, error, "not ready")
            app.state.failed = True
            return
        app.state.ready = True
        event("ready", model=app.state.doors.model()["ontology_sha256"][:12])

    warming = asyncio.create_task(warm())
    try:
        yield
    finally:
        warming.cancel()
        app.state.workbench.close()
        app.state.streams.close()
