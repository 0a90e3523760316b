"""The command ``hepagraph response``: how far a treated lesion has responded."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from hepagraph.ontology.errors import CaseError, Problem
from hepagraph.service.options import json_option, ontology_option, reports_errors
from hepagraph.service.reading import read_cases

if TYPE_CHECKING:
    from hepagraph.inference.response import ResponseReasoner
    from hepagraph.inference.response_result import ResponseCaseResult

MAXIMUM_PROBLEMS = 1000


@click.command()
@click.argument("cases", nargs=-1, required=True, metavar="CASES...")
@json_option
@ontology_option
@reports_errors
def response(cases: tuple[str, ...], as_json: bool, ontology: str | None) -> None:
    """Grade the response to treatment of the lesions in JSON or JSON Lines files; - reads standard input.

    Nothing is written unless every case is good.
    """
    from hepagraph.inference.response import ResponseReasoner
    from hepagraph.service.response_text import response_text

    values = read_cases(cases)
    reasoner = ResponseReasoner.load(ontology)
    results = _answer(reasoner, values)
    if as_json:
        lines = [json.dumps(result.to_dict(), ensure_ascii=False, allow_nan=False) + "\n" for result in results]
        click.echo("".join(lines), nl=False)
    else:
        click.echo("\n".join(response_text(result, reasoner.model) for result in results), nl=False)


def _answer(reasoner: ResponseReasoner, values: list[tuple[str, object]]) -> list[ResponseCaseResult]:
    """Read every case before answering any, so that all problems are reported together."""
    good, problems = [], []
    for where, value in values:
        try:
            good.append((where, reasoner.read(value)))
        except CaseError as error:
            problems += [_placed(problem, where) for problem in error.problems]
            if len(problems) >= MAXIMUM_PROBLEMS:
                break
    results = []
    for where, case in () if problems else good:
        try:
            results.append(reasoner.posterior(case))
        except CaseError as error:
            problems += [_placed(problem, where) for problem in error.problems]
    if problems:
        raise CaseError(problems)
    return results


def _placed(problem: Problem, where: str) -> Problem:
    place = f"{where}: {problem.where}" if problem.where else where
    return Problem(problem.kind, place, problem.what, problem.allowed, problem.nearest, problem.advice)
