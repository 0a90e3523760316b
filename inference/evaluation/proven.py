"""Cases with a proven diagnosis: read the truth beside each case, strictly, with every problem reported at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

from hepagraph.inference.case import Case, CaseReader
from hepagraph.ontology.errors import CaseError, Problem, nearest

_FLAGS = {"true": True, "false": False, "yes": True, "no": False, "": None}
_TRUTH_KEYS = ("entity", "subgroup", "subtype", "proof", "atypical")
TSV_COLUMNS = ("case_id", "lesion_id", "entity", "subgroup", "proof", "atypical")
_TYPO = 0.8


@dataclass(frozen=True, slots=True)
class Truth:
    """What a lesion was proven to be; ``atypical`` is None where nobody said."""

    entity: str
    subgroup: str = ""
    proof: str = ""
    atypical: bool | None = None


@dataclass(frozen=True, slots=True)
class ProvenCase:
    """One patient and the truth of each of the lesions, by lesion id."""

    case: Case
    truth: Mapping[str, Truth]


@dataclass(frozen=True, slots=True)
class TruthReader:
    """Reads wrapped or bare cases; ``parent_of`` maps subtypes (and childless entities) to their entity."""

    reader: CaseReader
    entities: tuple[str, ...]
    parent_of: Mapping[str, str]

    def read(
        self, values: Sequence[tuple[str, Any]], table: Sequence[tuple[str, Mapping[str, str]]] | None = None
    ) -> tuple[ProvenCase, ...]:
        """Return the proven cases of JSON values, each with where it stands.

        Parameters
        ----------
        values
            (where, value); a value is ``{"case": ..., "truth": ...}``, or a bare case where a table is given.
        table
            (where, row) of a truth table; its columns are ``TSV_COLUMNS``, of which proof, subgroup and atypical may
            be missing, and others are ignored.

        Raises
        ------
        CaseError
            A case is bad or has no truth, a truth is of no case, or two cases share an id.
        """
        problems: list[Problem] = []
        rows = None if table is None else _by_case(table, problems)
        found = [p for where, value in values if (p := self._one(where, value, rows, problems)) is not None]
        problems += _repeated(found)
        if rows is not None and not problems:
            problems += _unused(rows, found)
        if problems:
            raise CaseError(problems)
        return tuple(found)

    def _one(
        self, where: str, value: Any, rows: Mapping[str, _Rows] | None, problems: list[Problem]
    ) -> ProvenCase | None:
        wrapped = isinstance(value, dict) and "case" in value
        try:
            case = self.reader.read(value["case"] if wrapped else value)
        except CaseError as error:
            problems.extend(replace(p, where=f"{where}: {p.where}") for p in error.problems)
            return None
        place = f"{where}: case {case.id}"
        if rows is not None:
            return self._from_table(case, rows.get(case.id), place, list(rows), problems)
        if not wrapped or "truth" not in value:
            close = nearest("truth", [k for k in value if k != "case"]) if wrapped else None
            what = "has no truth" + (f"; it has the key {close!r} instead" if close else "")
            advice = 'give {"case": {...}, "truth": {"entity": ...}}, or a table with --truth'
            problems.append(Problem("missing", place, what, advice=advice))
            return None
        return self._from_json(case, value["truth"], place, problems)

    def _from_json(self, case: Case, truth: Any, place: str, problems: list[Problem]) -> ProvenCase | None:
        if not isinstance(truth, dict):
            problems.append(Problem("type", f"{place} / truth", "must be a JSON object"))
            return None
        ids = [lesion.id for lesion in case.lesions]
        if "entity" in truth and isinstance(truth["entity"], str):
            by_lesion: Mapping[str, Any] = {ids[0]: truth}
        else:
            by_lesion = truth
        before = len(problems)
        found = {}
        for lesion, item in by_lesion.items():
            spot = f"{place} / truth / lesion {lesion}"
            if lesion not in ids:
                what = f"the case has no lesion {str(lesion)[:60]!r}"
                problems.append(Problem("unknown_key", f"{place} / truth", what, tuple(ids), nearest(lesion, ids)))
            elif not isinstance(item, dict):
                problems.append(Problem("type", spot, "must be a JSON object with an entity"))
            else:
                found[lesion] = self._truth(item, spot, problems)
        problems += _missing_lesions(ids, by_lesion, place)
        return ProvenCase(case, found) if len(problems) == before else None

    def _from_table(
        self, case: Case, rows: _Rows | None, place: str, known: list[str], problems: list[Problem]
    ) -> ProvenCase | None:
        if rows is None:
            problems.append(Problem("missing", place, "the table has no row for it", nearest=nearest(case.id, known)))
            return None
        ids = [lesion.id for lesion in case.lesions]
        before = len(problems)
        found = {}
        for lesion, (where, row) in rows.items():
            name = lesion or ids[0]
            if name not in ids:
                what = f"case {case.id} has no lesion {name!r}"
                problems.append(Problem("unknown_key", where, what, tuple(ids), nearest(name, ids)))
            else:
                found[name] = self._truth(row, where, problems)
        problems += _missing_lesions(ids, {name or ids[0]: 0 for name in rows}, place)
        return ProvenCase(case, found) if len(problems) == before else None

    def _truth(self, item: Mapping[str, Any], where: str, problems: list[Problem]) -> Truth:
        entity = str(item.get("entity") or "").strip()
        self._check_entity(entity, item, where, problems)
        flag = item.get("atypical")
        flag = flag.strip().lower() if isinstance(flag, str) else flag
        if isinstance(flag, str) and flag in _FLAGS:
            flag = _FLAGS[flag]
        if flag is not None and not isinstance(flag, bool):
            what = f"{str(flag)[:40]!r} is neither true nor false"
            problems.append(Problem("type", f"{where} / atypical", what, ("true", "false"), nearest(flag, _FLAGS)))
            flag = None
        return Truth(entity, str(item.get("subgroup") or item.get("subtype") or ""), str(item.get("proof") or ""), flag)

    def _check_entity(self, entity: str, item: Mapping[str, Any], where: str, problems: list[Problem]) -> None:
        """Take any diagnosis, known or not, but refuse an empty one, a subtype and what looks like a typing error."""
        if not entity:
            close = nearest("entity", item)
            problems.append(Problem("missing", where, "has no entity", _TRUTH_KEYS, close))
        elif entity not in self.entities and entity in self.parent_of:
            advice = f"give the entity {self.parent_of[entity]} and this as subgroup"
            problems.append(Problem("unknown_state", where, f"{entity} is a subtype", self.entities, advice=advice))
        elif entity not in self.entities:
            close_names = get_close_matches(entity.lower(), self.entities, n=1, cutoff=_TYPO)
            if close_names:
                advice = f"for a diagnosis outside the list write other: {entity}"
                what = f"{entity[:60]!r} is no entity"
                problems.append(Problem("unknown_state", where, what, self.entities, close_names[0], advice))


_Rows = dict[str, tuple[str, Mapping[str, str]]]


def _by_case(table: Iterable[tuple[str, Mapping[str, str]]], problems: list[Problem]) -> dict[str, _Rows]:
    found: dict[str, _Rows] = {}
    for where, row in table:
        case, lesion = row.get("case_id", ""), row.get("lesion_id", "")
        if lesion in found.get(case, {}):
            problems.append(Problem("contradiction", where, f"a second row for case {case}, lesion {lesion or '1'}"))
        found.setdefault(case, {})[lesion] = (where, row)
    return found


def _missing_lesions(ids: Sequence[str], given: Mapping[str, Any], place: str) -> list[Problem]:
    missing = [name for name in ids if name not in given]
    what = "has no truth; give one for each lesion of the case"
    return [Problem("missing", f"{place} / lesion {name}", what) for name in missing]


def _repeated(found: Sequence[ProvenCase]) -> list[Problem]:
    names = [p.case.id for p in found]
    repeated = sorted({n for n in names if names.count(n) > 1})
    advice = "give each its own: patients are drawn by it"
    return [Problem("contradiction", f"case {n}", "two cases have this id", advice=advice) for n in repeated]


def _unused(rows: Mapping[str, _Rows], found: Sequence[ProvenCase]) -> list[Problem]:
    names = [p.case.id for p in found]
    extra = [(name, next(iter(lesions.values()))[0]) for name, lesions in rows.items() if name not in names]
    return [Problem("unknown_key", w, f"no case has the id {n[:60]!r}", (), nearest(n, names)) for n, w in extra]
