"""Write the expected rows of every named query from the present ontology: python tests/update_queries.py.

Read the difference before committing it: the rows are what the tests hold the ontology to.
"""

from __future__ import annotations

from pathlib import Path

from hepagraph.inference.provenance import compiled_lines
from hepagraph.kg import build_graph
from hepagraph.ontology.files import find_ontology
from hepagraph.ontology.named_queries import bind, read_query
from hepagraph.ontology.store import load_ontology
from hepagraph.ontology.stores import open_store
from hepagraph.service.tables import csv_text

TARGET = Path(__file__).resolve().parent / "data" / "queries"


def main() -> None:
    files = find_ontology()
    store = open_store(files)
    asked = {query.name: bind(query, {}, store) for query in map(read_query, files.queries)}
    store.add(compiled_lines(build_graph(load_ontology(files)), parameters=False))
    for path in TARGET.glob("*.csv"):
        path.unlink()
    for name, text in asked.items():
        rows = store.query(text)
        (TARGET / f"{name}.csv").write_text(csv_text(rows.columns, rows.rows), encoding="utf-8")


if __name__ == "__main__":
    main()
