"""``hepagraph evaluate``: how good the answers are on the user's own proven cases."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hepagraph.ontology.errors import CaseError, HepagraphError, Problem, nearest
from hepagraph.service.options import ontology_option, reports_errors, write_output
from hepagraph.service.reading import read_cases, read_text

if TYPE_CHECKING:
    from hepagraph.inference import Reasoner
    from hepagraph.inference.evaluation import Evaluation, ProvenCase, Settings
    from hepagraph.inference.evaluation.implied import Comparison

_NEEDED = ("case_id", "entity")
_KNOWN = ("case_id", "lesion_id", "entity", "subgroup", "subtype", "proof", "atypical")
MOST_DRAWS = 100_000


@click.command()
@click.argument("cases", nargs=-1, metavar="CASES...")
@click.option("--truth", default=None, metavar="TSV", help="The diagnoses, where the cases do not hold them.")
@click.option("--differential", default=None, metavar="NAME", help="Which list of entities to choose between.")
@click.option("--without-primary", is_flag=True, help="Measure once more as if no known primary had been given.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Of resampling and simulation.")
@click.option(
    "--bootstrap",
    "draws",
    default=1000,
    show_default=True,
    type=click.IntRange(0, MOST_DRAWS),
    help="Resamples of patients for the intervals; 0: no intervals.",
)
@click.option(
    "--json", "json_file", default=None, metavar="FILE", help="Write everything as JSON; - is standard output."
)
@click.option("--html", "html_file", default=None, metavar="FILE", help="Write one self-contained page.")
@click.option("--simulate", is_flag=True, help="Print published operating characteristics beside the network's own.")
@ontology_option
@reports_errors
def evaluate(
    cases: tuple[str, ...],
    truth: str | None,
    differential: str | None,
    without_primary: bool,
    seed: int,
    draws: int,
    json_file: str | None,
    html_file: str | None,
    simulate: bool,
    ontology: str | None,
) -> None:
    """Measure the answers on proven cases, beside a naive Bayes baseline.

    CASES are JSON Lines: {"case": {...}, "truth": {"entity": ..., "atypical": true}} a line, or cases alone with
    --truth (columns case_id, lesion_id, entity, and where known subgroup, proof, atypical). Cases of other diagnoses
    are reported apart. With --simulate no cases are needed.
    """
    from hepagraph.inference import Reasoner

    if not cases and not simulate:
        raise HepagraphError("no cases were given; name a file of proven cases, or add --simulate")
    _check_outputs(json_file, html_file)
    values = read_cases(cases) if cases else []
    table = None if truth is None else read_truth(truth)
    reasoner = Reasoner.load(ontology)
    reasoner.entities(differential)
    evaluations: list[Evaluation] = []
    if cases:
        evaluations = _evaluate(reasoner, values, table, differential, without_primary, draws, seed)
    comparisons = _simulate(reasoner, seed) if simulate else ()
    _write(reasoner, evaluations, comparisons, {"seed": seed, "bootstrap": draws}, json_file, html_file)


def _check_outputs(*files: str | None) -> None:
    """Refuse a folder that does not exist before anything long is computed."""
    for name in files:
        if name not in (None, "-") and not Path(str(name)).resolve().parent.is_dir():
            raise HepagraphError(f"{name}: cannot be written: there is no folder {Path(str(name)).parent}")


def read_truth(path: str) -> list[tuple[str, dict[str, str]]]:
    """Return (where, row) of a tab-separated table of diagnoses.

    Raises
    ------
    CaseError
        It cannot be read, lacks a column, or a row has more or fewer cells than the head.
    """
    name = "standard input" if path == "-" else path
    reader = csv.reader(io.StringIO(read_text(path, name, "a tab-separated table"), newline=""), delimiter="\t")
    try:
        rows = list(reader)
    except csv.Error as error:
        what = f"is no row of a table: {error}"
        raise CaseError([Problem("type", f"{name} line {reader.line_num}", what)]) from None
    head = [cell.strip() for cell in rows[0]] if rows else []
    problems = [
        Problem("missing", f"{name} line 1", f"there is no column {column}", _KNOWN, nearest(column, head))
        for column in _NEEDED
        if column not in head
    ]
    for number, row in enumerate(rows[1:], start=2):
        if row and len(row) != len(head):
            what = f"has {len(row)} cells, and the head has {len(head)}"
            problems.append(Problem("type", f"{name} line {number}", what, advice="separate cells by one tab each"))
    if problems:
        raise CaseError(problems)
    return [
        (f"{name} line {number}", {column: cell.strip() for column, cell in zip(head, row, strict=True)})
        for number, row in enumerate(rows[1:], start=2)
        if row
    ]


def _evaluate(
    reasoner: Reasoner,
    values: list[tuple[str, Any]],
    table: list[tuple[str, dict[str, str]]] | None,
    differential: str | None,
    without_primary: bool,
    draws: int,
    seed: int,
) -> list[Evaluation]:
    from dataclasses import replace

    from hepagraph.inference.evaluation import Settings, TruthReader
    from hepagraph.inference.evaluation.runner import behaviours_of, primary_variables, without_context
    from hepagraph.inference.evaluation.safety import read_costly_errors
    from hepagraph.inference.network import ENTITY

    reader = TruthReader(reasoner.reader, reasoner.network.states[ENTITY], reasoner.network.parent_of)
    proven = reader.read(values, table)
    entities = reasoner.entities(differential)
    name = differential or reasoner.network.default_differential
    behaviours = behaviours_of(reasoner.graph, entities)
    errors = read_costly_errors(reasoner.graph)
    settings = Settings(name, entities, behaviours, errors, draws=draws, seed=seed)
    found = [_run(reasoner, proven, settings, "as given")]
    if without_primary:
        names = primary_variables(reasoner.graph)
        if not names:
            raise HepagraphError("--without-primary: the ontology has no context variable whose states name a primary")
        thinned = without_context(proven, names)
        found.append(_run(reasoner, thinned, replace(settings, flatness=False), "without the known primary"))
    return found


def _run(reasoner: Reasoner, proven: tuple[ProvenCase, ...], settings: Settings, name: str) -> Evaluation:
    from dataclasses import replace

    from hepagraph.inference.evaluation import NaiveBayesPredictor, ReasonerPredictor, evaluate
    from hepagraph.inference.naive_bayes import build_naive_bayes

    baseline = NaiveBayesPredictor(build_naive_bayes(reasoner.graph))
    settings = replace(settings, baseline=baseline.name)
    return evaluate(proven, [ReasonerPredictor(reasoner), baseline], settings, name=name, progress=_say)


def _simulate(reasoner: Reasoner, seed: int) -> tuple[Comparison, ...]:
    from hepagraph.inference.evaluation.implied import compare_all
    from hepagraph.inference.evaluation.operating import read_characteristics

    found = read_characteristics(reasoner.graph)
    if not found:
        raise HepagraphError("--simulate: the ontology lists no operating characteristic (fl:OperatingCharacteristic)")
    return compare_all(reasoner.network, found, seed=seed, progress=_say)


def _say(what: str) -> None:
    if sys.stderr.isatty():
        click.echo(f"hepagraph: {what}", err=True)


def _write(
    reasoner: Reasoner,
    evaluations: list[Evaluation],
    comparisons: tuple[Comparison, ...],
    settings: dict[str, Any],
    json_file: str | None,
    html_file: str | None,
) -> None:
    from hepagraph.service.evaluation_json import evaluation_value
    from hepagraph.service.evaluation_page import evaluation_page
    from hepagraph.service.evaluation_text import comparisons_text, evaluation_text

    labels, model = reasoner.network.labels, reasoner.model
    value = evaluation_value(evaluations, comparisons, model, settings) if json_file is not None else None
    if html_file is not None:
        write_output(evaluation_page(evaluations, comparisons, labels, model, settings), html_file)
    if value is not None:
        write_output(json.dumps(value, ensure_ascii=False, allow_nan=False, indent=1) + "\n", json_file)
    if json_file == "-" or html_file == "-":
        return
    blocks = [evaluation_text(evaluation, labels) for evaluation in evaluations]
    blocks += [comparisons_text(comparisons)] if comparisons else []
    about = f"hepagraph {model['version']}, ontology {model['ontology_sha256'][:12]}. {model['notice']}\n"
    click.echo("\n".join([*blocks, about]), nl=False)
