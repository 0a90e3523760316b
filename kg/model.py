"""What the graph's nodes and edges carry: statements of evidence, their sources, and the method's own numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Source:
    """Where a statement was read."""

    id: str
    title: str
    first_author: str = ""
    journal: str = ""
    year: int | None = None
    doi: str = ""
    pmid: str = ""

    def short(self) -> str:
        """Return author and year, or the title, with the DOI or PMID when there is one."""
        who = f"{self.first_author} {self.year or ''}".strip() if self.first_author else self.title
        where = f"doi:{self.doi}" if self.doi else f"PMID {self.pmid}" if self.pmid else ""
        return f"{who}, {where}" if where else who


@dataclass(frozen=True, slots=True)
class Statement:
    """One evidence statement: what was counted, in whom, by whom. Proportions are in [0, 1]."""

    id: str
    iri: str
    quantity: str
    may_reach_cpt: bool
    given: str
    source: Source
    grade: str
    bound: str = "Exact"
    feature: str = ""
    states: tuple[str, ...] = ()
    context: tuple[str, ...] = ()
    modalities: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    k: int | None = None
    n: int | None = None
    value: float | None = None
    ci: tuple[float, float] | None = None
    range: tuple[float, float] | None = None
    mean: float | None = None
    sd: float | None = None
    words: str = ""
    word_mean: float | None = None
    word_size: float | None = None
    state_text: str = ""
    selected: bool = False
    duplicate: bool = False
    kept_apart: str = ""
    row_id: str = ""
    note: str = ""

    @property
    def poolable(self) -> bool:
        """Whether the statement may enter a table at all, wherever its conditions allow it."""
        return self.may_reach_cpt and not (self.selected or self.duplicate or self.kept_apart)

    def figure(self) -> str:
        """Return the statement's number as a reader would quote it.

        >>> Statement("e", "", "ConditionalProbability", True, "x", Source("s", "t"), "A", k=6, n=8).figure()
        '6/8 (75 %)'
        """
        if self.k is not None and self.n:
            return f"{self.k}/{self.n} ({100 * self.k / self.n:.0f} %)"
        if self.value is not None:
            prefix = {"UpperBound": "up to ", "LowerBound": "at least ", "Approximate": "about "}.get(self.bound, "")
            return f"{prefix}{100 * self.value:.3g} %" + (f" of {self.n}" if self.n else "")
        if self.range is not None:
            return f"{100 * self.range[0]:.3g}-{100 * self.range[1]:.3g} %"
        if self.mean is not None:
            return f"mean {self.mean:g}" + (f", SD {self.sd:g}" if self.sd is not None else "")
        if self.words:
            return f'"{self.words}"'
        return "not measured" if self.quantity == "NotMeasured" else "no figure"


@dataclass(frozen=True, slots=True)
class Policy:
    """The method's own numbers, read from the ontology (see ``fl:WeightingPolicy``)."""

    default_sample_size: float
    bound_sample_size: float
    bound_quantile: float
    mean_sample_size: float
    root_sample_size: float
    parent_sample_size: float
    table_floor: float
    other_primary_share: float
    implied_setting_share: float
    propensity_limit: float
    common_scale: float
    entity_scale: float
    subtype_scale: float
    condition_scale: float
    entity_condition_scale: float
    judgement_scale: float
    judgement_sample_size: float
    reporting_error: float
    study_spread: float
    interval_widening: float
    grade_caps: Mapping[str, float] = field(default_factory=dict)
    odds_multipliers: Mapping[str, float] = field(default_factory=dict)
