"""The statements behind a cell, as a table and as a picture.

First stand the published statements that enter the network, then our own judgement, a whole distribution in a row, then
what is kept out. Pictures are of published
figures; a judgement without a condition is drawn beside them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from html import escape as escape_html

from hepagraph.kg import Source, Statement, Variable
from hepagraph.kg.vocabulary import literal
from hepagraph.service.reference.forest import Group, Row, forest
from hepagraph.service.reference.judged import distributions, is_judged, shares
from hepagraph.service.reference.markdown import anchor, escape, link, styled, table, web_link
from hepagraph.service.reference.material import Material
from hepagraph.service.reference.proportions import mark


def who(source: Source) -> str:
    """Return author and year, or the beginning of the title."""
    name = f"{source.first_author} {source.year or ''}".strip() if source.first_author else source.title
    return name if len(name) <= 60 else name[:59].rstrip() + "…"


def papers(source: Source) -> list[str]:
    """Return links to the publication itself, by DOI and PubMed number."""
    doi = [web_link("doi", f"https://doi.org/{source.doi}")] if source.doi else []
    return [*doi, web_link("PubMed", f"https://pubmed.ncbi.nlm.nih.gov/{source.pmid}/")] if source.pmid else doi


def statement_table(material: Material, statements: Sequence[Statement], *, told: Sequence[str] = ()) -> str:
    """Return the statements as a table; what they are ``told`` of already is not repeated in every row."""
    header = ["of what", "figure", "study", "seen with, when", "in the network, note"]
    published = [statement for statement in statements if not is_judged(statement)]
    rows = [_cells(material, statement, told) for statement in published if material.uses.enters(statement)]
    rows += [_judged_cells(material, group, told) for group in distributions(material, statements)]
    rows += [_cells(material, statement, told) for statement in published if not material.uses.enters(statement)]
    return table(header, rows, "statements") if rows else ""


def _about(material: Material, statement: Statement, told: Sequence[str], states: str) -> str:
    names = [name for name in (statement.given, material.subject(statement)) if name and name not in told]
    return ": ".join(text for text in (*map(material.link, names), escape(states)) if text)


def _cells(material: Material, statement: Statement, told: Sequence[str]) -> list[str]:
    kind = link(material.in_words(statement.quantity), anchor("quantity", statement.quantity))
    return [
        _place(statement) + _about(material, statement, told, _states(material, statement)),
        f"**{escape(statement.figure())}** · {kind}",
        _study(statement),
        *_rest(material, statement),
    ]


def _judged_cells(material: Material, group: Sequence[Statement], told: Sequence[str]) -> list[str]:
    """Return the row of a judged distribution; every statement of it keeps its place."""
    first = group[0]
    about = _about(material, first, told, "all states" if len(group) > 1 else _states(material, first))
    return [
        "".join(map(_place, group)) + about,
        f"**judged:** {shares(material, group)}",
        _study(first),
        *_rest(material, first),
    ]


def _place(statement: Statement) -> str:
    return f'<span id="{escape_html(anchor("statement", statement.id))}"></span>'


def _study(statement: Statement) -> str:
    study = link(who(statement.source), anchor("source", statement.source.id))
    named = [study, *papers(statement.source)[:1], f"grade {escape(statement.grade)}", escape(statement.row_id)]
    return " · ".join(text for text in named if text)


def _rest(material: Material, statement: Statement) -> list[str]:
    """Return what a statement was seen with and under, and whether it enters the network."""
    why = material.uses.why_not(statement, material.label)
    standing = styled(escape(f"kept out: {why}"), "kept-out") if why else styled("enters", "enters")
    return [
        ", ".join(material.link(name) for name in (*statement.modalities, *statement.agents, *statement.context)),
        " · ".join(text for text in (standing, escape(statement.note)) if text),
    ]


def _states(material: Material, statement: Statement) -> str:
    names = " or ".join(material.state_label(state) for state in statement.states)
    return names or statement.state_text or ("mean" if statement.mean is not None else "")


def picture(material: Material, name: str, variable: Variable, statements: Sequence[Statement]) -> str:
    """Return the picture of the statements about a variable, or nothing where no published one gives a proportion.

    The statements may be about several entities or subtypes; each has its own groups, in the order of ``statements``.
    """
    groups = [
        group
        for given in dict.fromkeys(statement.given for statement in statements)
        for group in _groups(material, given, variable, [s for s in statements if s.given == given])
    ]
    several = len({statement.given for statement in statements}) > 1
    whom = "its subtypes" if several else material.label(statements[0].given) if statements else ""
    return forest(name, f"{variable.label} in {whom}: what each study says", groups) if groups else ""


def _groups(material: Material, given: str, variable: Variable, statements: Sequence[Statement]) -> list[Group]:
    found: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    labels: dict[tuple[str, ...], str] = {}
    published = set()
    for statement in statements:
        drawn = mark(statement, material.elicited.get(statement.id))
        if drawn is not None and not (is_judged(statement) and statement.context):
            leaves = _leaves(variable, statement)
            key = leaves or ("", _states(material, statement))
            labels.setdefault(key, _states(material, statement) or "not stated")
            why = material.uses.why_not(statement, material.label)
            figure = f"{statement.figure()} · {statement.grade}"
            found[key].append(Row(drawn, who(statement.source), _seen_with(material, statement), figure, bool(why)))
            published |= set() if is_judged(statement) else {key}
    prefix = "" if given in material.entities else f"{material.label(given)}: "
    ordered = sorted(published, key=lambda key: (len(key) > 1, [_rank(variable, leaf) for leaf in key], key))
    return [Group(prefix + labels[k], _value(material, given, variable, k), tuple(found[k])) for k in ordered]


def _seen_with(material: Material, statement: Statement) -> str:
    named = (*statement.modalities, *statement.agents, *statement.context)
    return ", ".join(str(literal(material.graph, name, "notation", name)) for name in named)


def _leaves(variable: Variable, statement: Statement) -> tuple[str, ...]:
    notations = {node: notation for notation, node in variable.nodes.items()}
    inside = {leaf for node in statement.states if node in notations for leaf in variable.leaves[notations[node]]}
    return tuple(state for state in variable.states if state in inside)


def _rank(variable: Variable, leaf: str) -> int:
    return variable.states.index(leaf) if leaf in variable.states else len(variable.states)


def _value(material: Material, given: str, variable: Variable, leaves: tuple[str, ...]) -> float | None:
    means = material.means.get((variable.name, given))
    if means is None or not set(leaves) <= set(variable.states):
        return None
    return min(1.0, float(sum(means[variable.states.index(leaf)] for leaf in leaves)))
