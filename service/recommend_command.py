"""``hepagraph recommend``: what to do next, with the rule, its source, and why it fired."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from hepagraph.ontology.errors import CaseError, Problem
from hepagraph.service.options import json_option, ontology_option, reports_errors
from hepagraph.service.reading import read_cases

if TYPE_CHECKING:
    from hepagraph.inference import Reasoner
    from hepagraph.inference.rules_circumstances import RuleCase
    from hepagraph.inference.rules_result import CaseRecommendations
    from hepagraph.kg.rules import RuleBook

MAXIMUM_PROBLEMS = 1000


@click.command()
@click.argument("cases", nargs=-1, required=True, metavar="CASES...")
@json_option
@click.option("--differential", default=None, metavar="NAME", help="Which list of entities to choose between.")
@click.option("--interval", is_flag=True, help="Give 95 % credible intervals with the probabilities that rules read.")
@click.option("--all", "every", is_flag=True, help="List every rule that one unstated item blocks.")
@ontology_option
@reports_errors
def recommend(
    cases: tuple[str, ...], as_json: bool, differential: str | None, interval: bool, every: bool, ontology: str | None
) -> None:
    """Recommend what to do next for the cases in JSON or JSON Lines files; - reads standard input.

    A patient or lesion may hold further keys that rules alone read (see docs/rules.md).
    Nothing is written unless every case is good.
    """
    from hepagraph.inference import Reasoner
    from hepagraph.kg.rules_reading import read_rules
    from hepagraph.service.recommend_text import recommendations_text

    values = read_cases(cases)
    reasoner = Reasoner.load(ontology)
    book = read_rules(reasoner.graph)
    reasoner.entities(differential)
    results = _answered(reasoner, book, _read(reasoner, book, values), differential, interval)
    if as_json:
        text = "".join(json.dumps(found.to_dict(), ensure_ascii=False, allow_nan=False) + "\n" for found in results)
    else:
        text = "\n".join(recommendations_text(found, book.labels, book.variables, every=every) for found in results)
    click.echo(text, nl=False)


def _read(reasoner: Reasoner, book: RuleBook, values: list[tuple[str, object]]) -> list[tuple[str, RuleCase]]:
    """Read every case before answering any, so that all problems are reported together."""
    from hepagraph.inference.rules_circumstances import read_rule_case

    good, problems = [], []
    for where, value in values:
        try:
            good.append((where, read_rule_case(book, reasoner.reader, value)))
        except CaseError as error:
            problems += [_placed(problem, where) for problem in error.problems]
            if len(problems) >= MAXIMUM_PROBLEMS:
                break
    if problems:
        raise CaseError(problems)
    return good


def _answered(
    reasoner: Reasoner, book: RuleBook, cases: list[tuple[str, RuleCase]], differential: str | None, interval: bool
) -> list[CaseRecommendations]:
    from hepagraph.inference.rules import recommend as applied

    results, problems = [], []
    for where, case in cases:
        try:
            results.append(applied(reasoner, case, book=book, differential=differential, interval=interval))
        except CaseError as error:
            problems += [_placed(problem, where) for problem in error.problems]
    if problems:
        raise CaseError(problems)
    return results


def _placed(problem: Problem, where: str) -> Problem:
    place = f"{where}: {problem.where}" if problem.where else where
    return Problem(problem.kind, place, problem.what, problem.allowed, problem.nearest, problem.advice)
