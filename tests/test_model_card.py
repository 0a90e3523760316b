"""The model card says what is so: its counts and its tables are computed anew and compared."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from rdflib import RDF, Graph

from hepagraph.inference import Case, Lesion, Reasoner
from hepagraph.inference.evaluation import ProvenCase, Truth, TruthReader
from hepagraph.inference.network import ENTITY
from hepagraph.ontology.namespaces import SCHEMA
from hepagraph.service.evaluate_command import read_truth

MARKS = ("data", "performance", "agreement")


@pytest.fixture(scope="module")
def card(root: Path) -> str:
    return (root / "docs" / "model_card.md").read_text("utf-8")


@pytest.fixture(scope="module")
def readme(root: Path) -> str:
    return (root / "README.md").read_text("utf-8")


@pytest.fixture(scope="module")
def cases(root: Path, reasoner: Reasoner) -> tuple[ProvenCase, ...]:
    folder = root / "examples" / "development"
    reader = TruthReader(reasoner.reader, reasoner.network.states[ENTITY], reasoner.network.parent_of)
    lines = (folder / "cases.jsonl").read_text("utf-8").splitlines()
    values = [(f"line {number}", json.loads(line)) for number, line in enumerate(lines, start=1)]
    return reader.read(values, read_truth(str(folder / "truth.tsv")))


def wilson(right: int, count: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share, in percent."""
    z = 1.959964
    centre = (right + z * z / 2) / (count + z * z)
    half = z / (count + z * z) * math.sqrt(right * (count - right) / count + z * z / 4)
    return 100 * max(0.0, centre - half), 100 * min(1.0, centre + half)


def row(name: str, hits: Sequence[bool]) -> str:
    low, high = wilson(sum(hits), len(hits))
    return f"| {name} | {len(hits)} | {sum(hits)} | {low:.0f} to {high:.0f} % |"


def test_every_grade_is_counted(card: str, readme: str, rdf: Graph) -> None:
    statements = set(rdf.subjects(RDF.type, SCHEMA.EvidenceStatement))
    counted = Counter(str(rdf.value(statement, SCHEMA.grade))[-1] for statement in statements)
    shown = dict(re.findall(r"^\| ([A-Z]) \| .* \| ([\d,]+) \|$", card, re.MULTILINE))
    assert shown == {grade: f"{count:,}" for grade, count in counted.items()}
    assert f"{len(statements):,} statements from" in readme
    assert f"{counted['D']:,} of them our own judgement" in readme


def test_subgroups_are_as_the_model_answers(card: str, reasoner: Reasoner, cases: tuple[ProvenCase, ...]) -> None:
    entities = reasoner.entities()
    lesions = [(one.case, lesion, one.truth[lesion.id]) for one in cases for lesion in one.case.lesions]
    lesions = [(case, lesion, truth) for case, lesion, truth in lesions if truth.entity in entities]
    called = [
        reasoner.posterior(case, surprise=False, reasons=False).lesions[case.lesions.index(lesion)].leading
        for case, lesion, _ in lesions
    ]

    def group(name: str, belongs: Callable[[Case, Lesion, Truth], bool]) -> str:
        return row(
            name, [t.entity == found for (c, x, t), found in zip(lesions, called, strict=True) if belongs(c, x, t)]
        )

    rows = [group(reasoner.network.labels[e], lambda c, x, t, e=e: t.entity == e) for e in entities]
    for name, value in (("typical", False), ("atypical", True)):
        rows.append(group(name, lambda c, x, t, value=value: t.atypical is value))
    for low, high in ((0, 3), (4, 6), (7, 99)):
        name = f"{low} to {high} findings" if high < 99 else f"{low} or more findings"
        rows.append(group(name, lambda c, x, t, low=low, high=high: low <= len(x.findings) <= high))
    rows += [
        group(f"sex {sex}", lambda c, x, t, sex=sex: "sex" in c.context and c.context["sex"].given.upper() == sex)
        for sex in ("F", "M")
    ]
    missing = [line for line in rows if line not in card]
    assert not missing, "the card should say:\n" + "\n".join(rows)


def test_what_is_included_from_the_readme_is_there(card: str, readme: str) -> None:
    for mark in MARKS:
        start, end = f"<!-- {mark}: shown in docs/model_card.md -->", f"<!-- end of {mark} -->"
        assert card.count(start) == card.count(end) == 1, mark
        assert readme.count(start) == readme.count(end) == 1, mark
        assert len(readme.split(start)[1].split(end)[0]) > 200, mark
