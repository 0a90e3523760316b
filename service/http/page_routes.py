"""The web page at ``/``, its files, and what it asks for beside the questions: form, choices, reasons, next looks."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response

from hepagraph.ontology.errors import CaseError, Problem, nearest
from hepagraph.service.http.app import PUBLIC
from hepagraph.service.http.bodies import answer, worked
from hepagraph.service.http.openapi import answers, demo_case
from hepagraph.service.http.questions import check_sizes

if TYPE_CHECKING:
    from fastapi import APIRouter

    from hepagraph.service.doors import Doors
    from hepagraph.service.explorer.remote import RemoteForm
    from hepagraph.service.http.settings import Settings

Json = dict[str, Any]
DATA = Path(__file__).resolve().parents[1] / "data"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
FRAME = {
    "content-security-policy": "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "cache-control": "no-cache",  # kept, but asked for again: a new version shows at once, an old one costs no bytes
    "cross-origin-opener-policy": "same-origin",
}
OBJECT: Json = {"type": "object"}
WRITTEN: Json = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
HTML: Json = {"type": "object", "properties": {"html": {"type": "string"}}, "required": ["html"]}
TEXT: Json = {"type": "string"}

# What each question about choices takes; the first is needed.
READ = {"case": OBJECT}
CHECK = {"chosen": OBJECT}
RESTORE = {"chosen": OBJECT, "differential": TEXT}
NEXT = {"case": OBJECT, "lesion": TEXT, "differential": TEXT}
REASONS = {**NEXT, "entity": TEXT, "against": TEXT}


def page_router(doors: Doors, settings: Settings) -> APIRouter:
    """Return the page and what it asks for."""
    from fastapi import APIRouter

    from hepagraph.service.explorer.remote import RemoteForm

    router = APIRouter(default_response_class=Response)
    for path, name in page_files().items():
        router.add_api_route(
            path, _file(DATA / name), methods=["GET", "HEAD"], include_in_schema=False, openapi_extra=PUBLIC
        )
    form = RemoteForm.of(doors.reasoner)
    entire = {**form.to_dict(), "most_lesions": settings.lesions, "example": _example(doors)}

    @router.get(
        "/v1/form",
        tags=["page"],
        operation_id="form",
        summary="Everything that can be chosen",
        responses=answers(OBJECT, 503),
    )
    async def whole(request: Request) -> Response:
        return await worked(request, lambda: entire)

    def ask(path: str, summary: str, parts: Mapping[str, Json], act: Callable[[Json], Json], schema: Json) -> None:
        async def endpoint(request: Request) -> Response:
            def acted(body: Any) -> Json:
                given = _given(body, parts)
                check_sizes(given.get("chosen", given.get("case")), settings)
                return act(given)

            return await answer(request, acted)

        router.add_api_route(
            f"/v1/form/{path}",
            endpoint,
            methods=["POST"],
            tags=["page"],
            operation_id=f"form_{path}",
            summary=summary,
            responses=answers(schema, 400, 408, 413, 415, 422, 503),
            openapi_extra=_described(parts),
        )

    ask("read", "What a case chooses", READ, lambda given: form.read(given["case"]), OBJECT)
    ask("check", "What follows from choices", CHECK, lambda given: form.check(given["chosen"]), OBJECT)
    ask("restore", "What of the choices of a link is known here", RESTORE, lambda given: form.restore(**given), OBJECT)
    ask("reasons", "The ledger as HTML", REASONS, lambda given: _reasons(form, **given), HTML)
    ask("next", "What to look at next, as HTML", NEXT, lambda given: _next(form, **given), HTML)
    ask("text", "Case and answer as plain text", REASONS, lambda given: _text(form, **given), WRITTEN)
    return router


def _example(doors: Doors) -> Json | None:
    """Return the built-in case, or None where the ontology is another one."""
    return demo_case() if doors.ontology is None else None


def page_files() -> dict[str, str]:
    """Return the files of the page by their paths on the server."""
    found = {f"/web/{path.name}": f"web/{path.name}" for path in sorted((DATA / "web").iterdir())}
    return {"/": found.pop("/web/index.html"), "/web/parts.css": "parts.css", **found}


def _file(path: Path) -> Callable[[Request], Any]:
    """Return what answers with a file, or that the client has it already."""
    content = path.read_bytes()
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {**FRAME, "etag": tag}

    async def endpoint(request: Request) -> Response:
        known = [one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")]
        if tag in known or known == ["*"]:
            return Response(status_code=304, headers=headers)
        return Response(content, headers=headers, media_type=TYPES[path.suffix])

    return endpoint


def _reasons(
    form: RemoteForm,
    case: Json,
    *,
    lesion: str | None = None,
    differential: str | None = None,
    entity: str | None = None,
    against: str | None = None,
) -> Json:
    from hepagraph.inference.ledger import explain
    from hepagraph.service.explorer.remote import moved_styles
    from hepagraph.service.html_basics import short_html
    from hepagraph.service.html_parts import cited, ledger_html, spoken

    reasoner = form.reasoner
    read = reasoner.read(case)
    ledger = explain(reasoner, read, lesion=lesion, differential=differential, entity=entity, against=against)[0]
    return {"html": moved_styles(ledger_html(ledger, spoken(reasoner), cited, short_html))}


def _next(form: RemoteForm, case: Json, *, lesion: str | None = None, differential: str | None = None) -> Json:
    from hepagraph.inference.next_best import next_best
    from hepagraph.service.explorer.remote import moved_styles
    from hepagraph.service.explorer.writing import LOOKS
    from hepagraph.service.html_parts import next_best_html, spoken

    reasoner = form.reasoner
    found = next_best(reasoner, reasoner.read(case), lesion=lesion, differential=differential)[0]
    return {"html": moved_styles(next_best_html(found, spoken(reasoner), top=LOOKS))}


def _text(form: RemoteForm, case: Json, **options: str) -> Json:
    from hepagraph.service.explorer.writing import answer_text

    return {"text": answer_text(form.reasoner, form.form, case, **options)}


def _given(body: Any, parts: Mapping[str, Json]) -> Json:
    """Return the parts of a body; what is null is left out.

    Raises
    ------
    CaseError
        A part is unknown, of the wrong kind, or missing.
    """
    first, known = next(iter(parts)), tuple(parts)
    if not isinstance(body, dict) or not isinstance(body.get(first), dict):
        raise CaseError([Problem("type", "body", f"must be a JSON object with an object as {first!r}", known)])
    problems = [
        Problem("unknown_key", "body", f"unknown key {name[:60]!r}", known, nearest(name[:60], known))
        for name in body
        if name not in known
    ]
    problems += [
        Problem("type", f"body / {name}", "must be text")
        for name, value in body.items()
        if parts.get(name) == TEXT and value is not None and not isinstance(value, str)
    ]
    if problems:
        raise CaseError(problems)
    return {name: value for name, value in body.items() if value is not None}


def _described(parts: Mapping[str, Json]) -> Json:
    schema = {
        "type": "object",
        "properties": dict(parts),
        "required": [next(iter(parts))],
        "additionalProperties": False,
    }
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}
