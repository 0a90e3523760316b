"""Measure the network and what each piece of it buys: python benchmarks/development_cases.py [--without-primary]

Prints for each differential one table on the development cases: the full model, the same network with every mechanism
summed out, the same with nothing between entity and feature, and the pooled naive Bayes baseline; then the lesions of
the reviews' figures. The cases were looked at while the ontology was written: these are development figures, not a
test. ``hepagraph evaluate`` measures any proven cases and prints much more.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from hepagraph.inference import Reasoner
from hepagraph.inference.evaluation import (
    Evaluation,
    NaiveBayesPredictor,
    NetworkPredictor,
    Predictor,
    ProvenCase,
    ReasonerPredictor,
    Settings,
    TruthReader,
    evaluate,
)
from hepagraph.inference.evaluation.ablations import flat, without_mechanisms
from hepagraph.inference.evaluation.runner import behaviours_of, primary_variables, without_context
from hepagraph.inference.evaluation.safety import read_costly_errors
from hepagraph.inference.naive_bayes import build_naive_bayes
from hepagraph.inference.network import ENTITY
from hepagraph.inference.reporting import reported
from hepagraph.service.evaluate_command import read_truth
from hepagraph.service.evaluation_text import errors_text, measures_text

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def models(reasoner: Reasoner) -> list[Predictor]:
    """Return the full model, its ablations and the baseline; the baseline stands last."""
    network = reasoner.network
    return [
        ReasonerPredictor(reasoner),
        NetworkPredictor(network, "one lesion at a time", reported),
        NetworkPredictor(without_mechanisms(network), "no mechanisms", reported),
        NetworkPredictor(flat(network), "entity to feature", reported),
        NaiveBayesPredictor(build_naive_bayes(reasoner.graph)),
    ]


def measure(reasoner: Reasoner, cases: tuple[ProvenCase, ...], differential: str, name: str) -> Evaluation:
    """Return the evaluation of every model on the cases."""
    compared, entities = models(reasoner), reasoner.entities(differential)
    settings = Settings(
        differential,
        entities,
        behaviours_of(reasoner.graph, entities),
        read_costly_errors(reasoner.graph),
        baseline=compared[-1].name,
        flatness=False,
    )
    return evaluate(cases, compared, settings, name=name)


def read(reasoner: Reasoner, values: list[tuple[str, Any]], truth: Path) -> tuple[ProvenCase, ...]:
    """Return the cases with their diagnoses."""
    reader = TruthReader(reasoner.reader, reasoner.network.states[ENTITY], reasoner.network.parent_of)
    return reader.read(values, read_truth(str(truth)))


def main(arguments: list[str]) -> None:
    """Print the tables."""
    reasoner = Reasoner.load()
    development = EXAMPLES / "development"
    lines = (development / "cases.jsonl").read_text(encoding="utf-8").splitlines()
    cases = read(
        reasoner, [(f"line {n}", json.loads(line)) for n, line in enumerate(lines, 1)], development / "truth.tsv"
    )
    paths = sorted(EXAMPLES.glob("*.json"))
    figures = [(path.name, json.loads(path.read_text(encoding="utf-8"))) for path in paths]
    runs = [(cases, name, "of the development set") for name in reasoner.network.differentials]
    runs.append(
        (read(reasoner, figures, EXAMPLES / "diagnoses.tsv"), reasoner.network.default_differential, "of the figures")
    )
    if "--without-primary" in arguments:
        bare = without_context(cases, primary_variables(reasoner.graph))
        runs.append((bare, reasoner.network.default_differential, "without the known primary"))
    for proven, differential, name in runs:
        found = measure(reasoner, proven, differential, name)
        print(measures_text(found))
        print(errors_text(found, reasoner.network.labels))


if __name__ == "__main__":
    main(sys.argv[1:])
