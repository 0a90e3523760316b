"""A process that answers SPARQL queries for another, which may kill it: ``python -m hepagraph.service.sparql_worker``.

It says ``{"open": true}`` once it has the ontology. Then it takes a JSON object a line on standard input and answers
with lines on standard output: ``{"ready": true}`` once the data that a query needs is loaded, which takes time but is
nobody's fault, then a header, then as many bytes as it says.
"""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any, BinaryIO

from hepagraph.ontology.errors import HepagraphError, OntologyError, QueryError
from hepagraph.service.sparql_limits import SparqlLimits

if TYPE_CHECKING:
    from hepagraph.ontology.answers import Answer, Solutions
    from hepagraph.ontology.stores import Store

Json = dict[str, Any]
MOST_WORDS = 2000  # of an error, which may quote a query
LOADING_SECONDS = 180.0  # rdflib takes half a minute to read the compiled layer of the packaged ontology


class Library:
    """The ontology's store, and one with the compiled layer too, opened when a query first names a term of it."""

    def __init__(self, folder: str | None, engine: str, sha256: str | None = None) -> None:
        from hepagraph.ontology.files import find_ontology
        from hepagraph.ontology.stores import open_store

        self._files, self._engine, self._sha256 = find_ontology(folder), engine, sha256
        self._refuse_changed()
        self._stores: dict[tuple[bool, bool], Store] = {(False, False): open_store(self._files, engine)}

    def _refuse_changed(self) -> None:
        from hepagraph.ontology.files import content_hash

        try:
            same = self._sha256 is None or content_hash(self._files) == self._sha256
        except OSError:
            same = False
        if not same:
            raise OntologyError("the ontology on disk has changed since the server started; start the server anew")

    def text_of(self, asked: Json) -> str:
        """Return the query that is asked: its text, or the named query with its parameters filled in."""
        if "name" not in asked:
            return str(asked["query"])
        from hepagraph.ontology.errors import nearest
        from hepagraph.ontology.named_queries import bind, read_query

        known = {path.stem: path for path in self._files.queries}
        name = asked["name"]
        if name not in known:
            close = nearest(name, known)
            hint = f"; did you mean {close}?" if close else ""
            raise QueryError(f"{name}: no query of this name{hint}")
        return bind(read_query(known[name]), asked["parameters"], self._stores[False, False])

    def store_for(self, text: str) -> Store:
        """Return the smallest store that holds what a query names."""
        from hepagraph.inference.provenance import asks_for_compiled, asks_for_parameters, compiled_lines

        key = asks_for_compiled(text), asks_for_parameters(text)
        if key not in self._stores:
            from hepagraph.kg import build_graph
            from hepagraph.ontology.store import load_ontology
            from hepagraph.ontology.stores import open_store

            self._refuse_changed()
            store = open_store(self._files, self._engine)
            store.add(compiled_lines(build_graph(load_ontology(self._files)), parameters=key[1]))
            self._stores[key] = store
        return self._stores[key]


def answered(store: Store, text: str, asked: Json) -> tuple[Json, bytes]:
    """Return the header and the bytes of the answer to a query.

    ``asked`` holds ``most`` and lists of formats, ``rows`` and ``graph``, the one liked best first; ``plain`` is a JSON
    object of columns and rows. The header's format is None where none of them can hold the answer.
    """
    from hepagraph.ontology.answers import TRUTH_FORMATS, Triples, graph_text, rows_text

    answer = store.answer(text, asked["most"])
    kind = "graph" if isinstance(answer, Triples) else "rows"
    fitting = [name for name in asked[kind] if not isinstance(answer, bool) or name in (*TRUTH_FORMATS, "plain")]
    if not fitting:
        return {"kind": kind, "format": None}, b""
    if isinstance(answer, Triples):
        written = graph_text(answer, fitting[0])
    else:
        written = _plain(answer) if fitting[0] == "plain" else rows_text(answer, fitting[0])
    body = written.encode()
    most = asked.get("answer_bytes", SparqlLimits().answer_bytes)
    if len(body) > most:
        raise QueryError(f"the answer is larger than {most} bytes; ask for less, or add a LIMIT")
    return {"kind": kind, "format": fitting[0], "truncated": _truncated(answer)}, body


def _plain(answer: Solutions | bool) -> str:
    if isinstance(answer, bool):
        return json.dumps({"columns": ["answer"], "rows": [[answer]]})
    rows = [[None if term is None else term.to_plain() for term in row] for row in answer.rows]
    return json.dumps({"columns": list(answer.variables), "rows": rows}, ensure_ascii=False)


def _truncated(answer: Answer) -> bool:
    return not isinstance(answer, bool) and answer.truncated


def serve(library: Library, lines: BinaryIO, out: BinaryIO) -> None:
    """Answer until there is nothing more to read."""
    for line in iter(lines.readline, b""):
        asked = json.loads(line)
        try:
            query = library.text_of(asked)
            _end_after(LOADING_SECONDS)
            store = library.store_for(query)
            _send(out, {"ready": True})
            _end_after(asked["seconds"])
            header, body = answered(store, query, asked)
        except HepagraphError as error:
            header, body = _told(error), b""
        _send(out, {**header, "bytes": len(body)}, body)


def _told(error: HepagraphError) -> Json:
    return {"error": str(error)[:MOST_WORDS], "stale": isinstance(error, OntologyError)}


def _send(out: BinaryIO, header: Json, body: bytes = b"") -> None:
    out.write(json.dumps(header).encode() + b"\n" + body)
    out.flush()


def _end_after(seconds: float) -> None:
    """Let the system end this process if a query goes on although the other, which should have ended it, is gone."""
    if sys.platform != "win32":
        import resource
        import time

        hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
        resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time() + seconds) + 5, hard))


def _keep_within(mebibytes: int) -> None:
    """Limit the memory that a query may take, where the system can; one that needs more ends this process."""
    if sys.platform != "win32":
        import resource

        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        wanted = mebibytes * 2**20
        resource.setrlimit(resource.RLIMIT_AS, (wanted if hard < 0 else min(wanted, hard), hard))


def main() -> None:
    """Open the ontology that the arguments name and answer on the standard streams."""
    settings = json.loads(sys.argv[1])
    _keep_within(settings["mebibytes"])
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # nothing that a library prints goes between the answers
    try:
        library = Library(settings["ontology"], settings["engine"], settings.get("sha256"))
    except HepagraphError as error:
        _send(out, _told(error))
        return
    _send(out, {"open": True})
    serve(library, sys.stdin.buffer, out)


if __name__ == "__main__":
    main()
