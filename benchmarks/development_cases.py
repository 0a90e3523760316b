"""Measure the network on the coded cases: python benchmarks/development_cases.py

Prints, for the default and the wide differential, how many development cases have their true entity on top, the mean
log loss (natural logarithm) and the Brier score summed over entities, for the full network and for the same network
with every mechanism's effect switched off (features independent given the subtype). The cases were looked at
while the ontology was written: these are development figures, not a test.
"""

from __future__ import annotations

import csv
import json
import math
from dataclasses import replace
from pathlib import Path

from hepagraph.inference import Reasoner
from hepagraph.inference.compiling import compile_skeleton

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def without_mechanisms(reasoner: Reasoner) -> Reasoner:
    """Return the reasoner with features that no mechanism acts on."""
    skeleton = replace(reasoner.skeleton, causes_of=dict.fromkeys(reasoner.skeleton.features, ()))
    return replace(reasoner, skeleton=skeleton, network=compile_skeleton(skeleton))


def truth(path: Path) -> dict[tuple[str, str], dict[str, str]]:
    """Return the rows of a table of diagnoses by (case, lesion)."""
    with path.open(encoding="utf-8") as stream:
        return {(row["case_id"], row["lesion_id"]): row for row in csv.DictReader(stream, delimiter="\t")}


def measure(
    reasoner: Reasoner, cases: list[dict[str, object]], rows: dict[tuple[str, str], dict[str, str]], name: str
) -> str:
    """Return one line of figures for one differential."""
    entities = reasoner.entities(name)
    right, typical, typical_right, count, loss, brier = 0, 0, 0, 0, 0.0, 0.0
    for case in cases:
        result = reasoner.posterior(case, differential=name)
        for lesion in result.lesions:
            row = rows[result.id, lesion.id]
            if row["entity"] not in entities:
                continue
            count += 1
            hit = lesion.leading == row["entity"]
            right += hit
            if row.get("atypical") == "false":
                typical += 1
                typical_right += hit
            loss -= math.log(lesion.posterior[row["entity"]])
            brier += sum((p - (e == row["entity"])) ** 2 for e, p in lesion.posterior.items())
    of_typical = f" ({typical_right} of {typical} typical)" if typical else ""
    return f"{name:>5}: {right} of {count} on top{of_typical}, log loss {loss / count:.3f}, Brier {brier / count:.3f}"


def main() -> None:
    """Print the figures."""
    reasoner = Reasoner.load()
    development = EXAMPLES / "development"
    cases = [json.loads(line) for line in (development / "cases.jsonl").read_text(encoding="utf-8").splitlines()]
    figures = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(EXAMPLES.glob("*.json"))]
    for title, model in (("full network", reasoner), ("mechanisms switched off", without_mechanisms(reasoner))):
        print(f"development cases, {title}")
        for name in model.network.differentials:
            print(measure(model, cases, truth(development / "truth.tsv"), name))
        print(f"lesions of the reviews' figures, {title}")
        print(measure(model, figures, truth(EXAMPLES / "diagnoses.tsv"), model.network.default_differential))


if __name__ == "__main__":
    main()
