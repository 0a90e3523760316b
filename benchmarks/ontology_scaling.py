"""How loading, querying, validating and memory grow with the evidence, for both stores.

Run: python benchmarks/ontology_scaling.py [--factors 1 10 100] [--no-validation]

The evidence files are copied: every statement `ev_x` becomes `ev_x`, `ev_x_c1`, `ev_x_c2` ... in temporary folders;
terms and sources stay. Each measurement runs in a process of its own, so that peak memory is that of one store.
Queries: the median of three runs of all named queries that do not need the compiled network, with their defaults.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from hepagraph.inference.provenance import asks_for_compiled
from hepagraph.ontology.files import find_ontology
from hepagraph.ontology.named_queries import bind, read_query
from hepagraph.ontology.stores import open_store

STATEMENT = re.compile(r"\bid:(ev_\w+)")


def copy_ontology(target: Path, factor: int) -> Path:
    """Write the ontology with `factor` copies of its statements and return the folder."""
    files = find_ontology()
    for path in (*files.data, *files.shapes, *files.queries, *files.mappings):
        place = target / path.relative_to(files.directory)
        place.parent.mkdir(parents=True, exist_ok=True)
        text = path.read_text(encoding="utf-8")
        if path.is_relative_to(files.evidence):
            blocks = text.split("\n\n")
            statements = [block for block in blocks if STATEMENT.match(block)]
            for copy in range(1, factor):
                text += "".join("\n" + STATEMENT.sub(rf"id:\1_c{copy}", block) + "\n" for block in statements)
        place.write_text(text, encoding="utf-8")
    licences = files.directory / "mappings" / "licences.tsv"
    (target / "mappings" / "licences.tsv").write_bytes(licences.read_bytes())
    return target


def measure(folder: str, what: str) -> dict[str, Any]:
    files = find_ontology(folder)
    start = time.perf_counter()
    if what == "validate":
        from hepagraph.ontology.validation import validate_ontology

        violations = validate_ontology(files)
        return {"seconds": time.perf_counter() - start, "violations": len(violations), "peak_mib": peak_mib()}
    store = open_store(files, what)
    loaded = time.perf_counter() - start
    queries = [query for query in map(read_query, files.queries) if not asks_for_compiled(query.text)]
    texts = [bind(query, {}, store) for query in queries]
    runs, rows = [], 0
    for _ in range(3 if len(store) < 2_000_000 else 1):
        start = time.perf_counter()
        rows = sum(len(store.query(text).rows) for text in texts)
        runs.append(time.perf_counter() - start)
    query = statistics.median(runs)
    return {"triples": len(store), "load": loaded, "query": query, "rows": rows, "peak_mib": peak_mib()}


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run(folder: Path, what: str) -> dict[str, Any]:
    command = [sys.executable, __file__, "--measure", str(folder), what]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def report(factors: list[int], validation: bool) -> None:
    print("| copies | triples | store | load s | all queries s | rows | peak MiB |")
    print("|---|---|---|---|---|---|---|")
    checks = []
    for factor in factors:
        with tempfile.TemporaryDirectory() as folder:
            target = copy_ontology(Path(folder), factor)
            found = {engine: run(target, engine) for engine in ("rdflib", "oxigraph")}
            for engine, row in found.items():
                figures = f"{row['load']:.2f} | {row['query']:.2f} | {row['rows']:,} | {row['peak_mib']:.0f}"
                print(f"| {factor}x | {row['triples']:,} | {engine} | {figures} |", flush=True)
            assert len({(row["triples"], row["rows"]) for row in found.values()}) == 1, "the stores differ"
            slow, fast = found["rdflib"], found["oxigraph"]
            ratios = {name: slow[name] / fast[name] for name in ("load", "query", "peak_mib")}
            checks.append(f"{factor}x: rdflib / oxigraph " + ", ".join(f"{n} {r:.1f}" for n, r in ratios.items()))
            if validation:
                row = run(target, "validate")
                checks.append(
                    f"{factor}x: validation {row['seconds']:.1f} s, {row['violations']} violations, "
                    f"peak {row['peak_mib']:.0f} MiB"
                )
    print("\n" + "\n".join(checks))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--factors", nargs="+", type=int, default=[1, 10, 100])
    parser.add_argument("--no-validation", action="store_true")
    parser.add_argument("--measure", nargs=2, metavar=("FOLDER", "WHAT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(*options.measure)))
    else:
        report(options.factors, not options.no_validation)


if __name__ == "__main__":
    main()
