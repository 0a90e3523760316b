"""Write the expected rows of every named query from the present ontology: python tests/update_queries.py.

Read the difference before committing it: the rows are what the tests hold the ontology to. Of an answer with more than
``WHOLE`` rows only every so manieth row is kept, and in ``sampled.json`` how many there are.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

from hepagraph.inference.provenance import compiled_lines
from hepagraph.kg import build_graph
from hepagraph.ontology.files import find_ontology
from hepagraph.ontology.named_queries import bind, read_query
from hepagraph.ontology.store import load_ontology
from hepagraph.ontology.stores import open_store
from hepagraph.service.tables import csv_text

TARGET = Path(__file__).resolve().parent / "data" / "queries"
WHOLE, KEPT = 1500, 250


def main() -> None:
    files = find_ontology()
    store = open_store(files)
    asked = {query.name: bind(query, {}, store) for query in map(read_query, files.queries)}
    store.add(compiled_lines(build_graph(load_ontology(files)), parameters=False))
    for path in TARGET.glob("*.csv"):
        path.unlink()
    sampled = {}
    for name, text in asked.items():
        found = store.query(text)
        rows = found.rows
        if len(rows) > WHOLE:
            sampled[name] = {"rows": len(rows), "every": math.ceil(len(rows) / KEPT)}
            rows = rows[:: sampled[name]["every"]]
        (TARGET / f"{name}.csv").write_text(csv_text(found.columns, rows), encoding="utf-8")
    (TARGET / "sampled.json").write_text(json.dumps(sampled, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
