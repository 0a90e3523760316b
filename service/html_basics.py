"""What every HTML fragment is made of: escaped text, odds, tables, drawn bars, and statements with their sources.

Fragments hold no script and load nothing; ``data/parts.css`` gives them their look, within the class ``hepagraph``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from hepagraph.kg.model import Source, Statement
from hepagraph.ontology.errors import printable
from hepagraph.service.evaluation_charts import escape
from hepagraph.service.text import in_words, percent

if TYPE_CHECKING:
    from hepagraph.inference.reasoner import Reasoner

Labels = Mapping[str, str]
Cite = Callable[[Statement], str]
DATA = Path(__file__).resolve().parent / "data"


def style(*names: str) -> str:
    """Return the packaged style sheets of these names, without ``.css``, one after the other."""
    return "\n".join((DATA / f"{name}.css").read_text(encoding="utf-8") for name in names)


def whole_page(title: str, body: str, *styles: str) -> str:
    """Return a page of its own, which may run no script and load nothing, with these packaged style sheets.

    ``title`` is plain text, ``body`` HTML.
    """
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{text(title)}</title><style>\n{style(*styles)}</style>"
    )
    return f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head>\n<body class="hepagraph">\n{body}\n</body></html>\n'


def fragment(kind: str, *parts: str) -> str:
    """Return the parts in a block of a class, which the style sheets know."""
    return f'<div class="hepagraph {kind}">{"".join(parts)}</div>'


def text(value: object) -> str:
    """Return whatever a case or an ontology may hold as HTML text, control characters made visible."""
    return escape(printable(str(value)))


def said(variable: str, given: str, labels: Labels) -> str:
    """Return what a case says of a variable as HTML text: states by their labels (see ``spoken``), or as spelt."""
    return text(in_words(variable, given, labels))


def spoken(reasoner: Reasoner) -> dict[str, str]:
    """Return the network's labels, and those of every state that a case may name, under ``variable=state``.

    Modalities and agents are under ``exam=state`` as well, those that no case may name included.
    """
    found = dict(reasoner.network.labels)
    for variable in reasoner.reader.variables.values():
        states = {
            spelling: variable.nodes.get(spelling, variable.nodes[s[0]]) for spelling, s in variable.leaves.items()
        }
        states |= {str(flag).lower(): variable.nodes[state] for flag, state in variable.booleans.items()}
        for spelling, node in states.items():
            label = reasoner.network.labels.get(node, spelling).removeprefix(f"{variable.label}: ")
            names = (variable.name, "exam") if variable.section == "exam" else (variable.name,)
            found |= {f"{name}={form}": label for name in names for form in (spelling, spelling.lower())}
    advised = reasoner.reader.assessability.advised_modalities
    return found | {f"exam={name}": found[name] for name in advised if name in found}


def named(name: str, labels: Labels) -> str:
    """Return a name's label, or the name where it has none, as HTML text."""
    return text(labels.get(name, name))


def chance(probability: float) -> str:
    """Return a probability as HTML text, never 0 % or 100 %, in one piece.

    >>> chance(0.0001)
    '&lt; 0.1&nbsp;%'
    """
    return escape(percent(probability)).replace(" %", "&nbsp;%")


def chances(low: float, high: float) -> str:
    """Return the two ends of an interval of probabilities as HTML text."""
    return f"{chance(low)} to {chance(high)}"


def factor(weight: float) -> str:
    """Return a weight in nats of log-odds as a factor of the odds.

    >>> factor(math.log(2.5)), factor(-math.log(4)), factor(math.log(2e6))
    ('× 2.5', '÷ 4', '× 2 million')
    """
    return f"{'×' if weight >= 0 else '÷'} {_size(weight)}"


def odds(log_odds: float) -> str:
    """Return odds as a reader writes them, with the probability.

    >>> odds(math.log(3)), odds(-math.log(4))
    ('3 : 1 (75.0&nbsp;%)', '1 : 4 (20.0&nbsp;%)')
    """
    size = _size(log_odds)
    probability = 1 / (1 + math.exp(-log_odds)) if abs(log_odds) < 700 else float(log_odds > 0)
    return f"{size} : 1 ({chance(probability)})" if log_odds >= 0 else f"1 : {size} ({chance(probability)})"


def _size(log: float) -> str:
    size = math.exp(min(abs(log), 700.0))
    if size < 999_500:
        return f"{size:.3g}" if size < 999.5 else f"{float(f'{size:.3g}'):,.0f}"
    return f"{size / 1e6:.3g} million" if size < 9.995e8 else f"{size:.2g}"


def place(probability: float) -> str:
    """Return how far along a bar a probability lies, as a CSS length."""
    return f"{100 * min(max(probability, 0.0), 1.0):.2f}%"


def table(caption: str, columns: Sequence[str], rows: Sequence[Sequence[str]], *, kind: str = "") -> str:
    """Return a table of HTML cells, the first of each row its head, in a frame that scrolls where it is too wide.

    ``caption`` is escaped text without tags; ``columns`` too, and one that begins with ``#`` holds numbers.
    A table of the kind ``stack`` shows each row as a block of its own on a phone.
    """
    marks = [' class="n"' if column.startswith("#") else "" for column in columns]
    names = [column.removeprefix("#") for column in columns]
    head = "".join(f'<th scope="col"{mark}>{name}</th>' for name, mark in zip(names, marks, strict=True))
    if kind == "stack":
        marks = [f'{mark} data-label="{name}"' for name, mark in zip(names, marks, strict=True)]
    body = "".join(
        f'<tr><th scope="row">{row[0]}</th>'
        + "".join(f"<td{mark}>{cell}</td>" for cell, mark in zip(row[1:], marks[1:], strict=True))
        + "</tr>"
        for row in rows
    )
    mark = f' class="{kind}"' if kind else ""
    whole = f"<table{mark}><caption>{caption}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="scroll" role="region" aria-label="{caption}" tabindex="0">{whole}</div>'


def source_html(source: Source) -> str:
    """Return a source as it is cited in running text: who and when, linked to its DOI or PubMed entry if it has one."""
    who = f"{source.first_author} {source.year or ''}".strip() if source.first_author else source.title
    return " ".join([text(who), *source_links(source)[:1]])


def source_links(source: Source) -> list[str]:
    """Return links to the source's DOI and PubMed entry, as far as it has them; what is linked can be read in print."""
    found = []
    if source.doi:
        found.append(_link(f"https://doi.org/{quote(source.doi, safe='/()')}", f"doi:{source.doi}"))
    if source.pmid:
        found.append(_link(f"https://pubmed.ncbi.nlm.nih.gov/{quote(source.pmid, safe='')}/", f"PMID {source.pmid}"))
    return found


def short_html(short: str) -> str:
    """Return a source that is given in short (``Source.short``) as HTML, its DOI or PubMed number linked.

    >>> short_html("Smith J 2020, PMID 12")
    'Smith J 2020, <a href="https://pubmed.ncbi.nlm.nih.gov/12/" rel="noreferrer">PMID 12</a>'
    """
    who, comma, where = short.rpartition(", ")
    if comma and where.startswith("doi:"):
        source = Source("", who, doi=where.removeprefix("doi:"))
    elif comma and where.startswith("PMID "):
        source = Source("", who, pmid=where.removeprefix("PMID "))
    else:
        return text(short)
    return f"{text(who)}, {source_links(source)[0]}"


def _link(address: str, shown: str) -> str:
    return f'<a href="{escape(address)}" rel="noreferrer">{text(shown)}</a>'


def cited(statement: Statement) -> str:
    """Return a statement as a fragment on its own cites it: figure, grade, source with its link, and row."""
    row = f" [{text(statement.row_id)}]" if statement.row_id else ""
    return f"{figure(statement)}, {source_html(statement.source)}{row}"


def figure(statement: Statement) -> str:
    """Return a statement's figure and grade as HTML."""
    return f'{text(statement.figure())}, <span class="grade">grade {text(statement.grade)}</span>'


def statements_html(statements: Sequence[Statement], cite: Cite, *, most: int = 2) -> str:
    """Return a list of the first statements and how many more there are, or nothing where there are none."""
    if not statements:
        return ""
    items = "".join(f"<li>{cite(statement)}</li>" for statement in statements[:most])
    more = len(statements) - most
    rest = f'<li class="soft">and {more} more</li>' if more > 0 else ""
    return f'<ul class="sources">{items}{rest}</ul>'
