"""The columns of the spreadsheet of evidence, and what each becomes in the ontology."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

_SUBJECTS = ("LesionEntity", "LesionSubtype", "RootEntity", "LesionClass")
VARIABLES = ("ImagingFeature", "StudyVariable", "ContextVariable")
_BOUNDS = MappingProxyType(
    {"exact": "Exact", "approximate": "Approximate", "upper": "UpperBound", "lower": "LowerBound"}
)
_UNITS = MappingProxyType(
    {"lesion": "PerLesion", "patient": "PerPatient", "study": "PerStudy", "not_stated": "NotStated"}
)
_GRADES = MappingProxyType({grade: f"Grade{grade}" for grade in "ABCD"})


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its heading, the schema property it fills, how its text is read, and a line of help.

    Kinds: text, integer, number, percent (0 to 100, stored as a fraction), flag (yes or empty), choice (one of
    ``choices``), thing and things (declared individuals of the ``classes``, several joined by ``|``), states (of the
    row's feature), conditions (``variable=state; variable=state``), statements (ids), texts (joined by `` | ``).
    """

    name: str
    term: str
    kind: str
    help: str
    classes: tuple[str, ...] = ()
    choices: Mapping[str, str] = field(default_factory=dict)


STATEMENT_COLUMNS = (
    Column("id", "rowId", "text", "your own id of the row; letters, digits, dashes"),
    Column("quantity", "quantity", "thing", "what the number is; conditional_probability unless said", ("Quantity",)),
    Column("feature", "feature", "thing", "what was looked at", VARIABLES),
    Column("state", "state", "states", "the state or states seen, joined by |"),
    Column("state_text", "stateText", "text", "what was seen, where no declared state says it"),
    Column("given", "given", "thing", "the entity, subtype or lesion class", _SUBJECTS),
    Column("conditions", "context", "conditions", "variable=state; variable=state"),
    Column("context", "contextNote", "text", "the setting in words"),
    Column("modality", "modality", "things", "how it was examined", ("Modality",)),
    Column("agent", "agent", "things", "with which contrast agent", ("ContrastAgent",)),
    Column("sequence", "sequence", "things", "on which sequence", ("Sequence",)),
    Column("phase", "phase", "things", "in which phase", ("Phase",)),
    Column("k", "k", "integer", "how many showed it"),
    Column("n", "n", "integer", "of how many"),
    Column("percent", "value", "percent", "the percentage as printed, 0 to 100"),
    Column("ci_low", "ciLow", "percent", "lower end of the confidence interval, percent"),
    Column("ci_high", "ciHigh", "percent", "upper end, percent"),
    Column("range_low", "rangeLow", "percent", "lower end of a published range, percent"),
    Column("range_high", "rangeHigh", "percent", "upper end, percent"),
    Column("mean", "mean", "number", "mean, median or cut-off, in measure_unit"),
    Column("sd", "sd", "number", "standard deviation, in measure_unit"),
    Column("measure_unit", "unit", "text", "unit of mean and sd (UCUM)"),
    Column("bound", "bound", "choice", "exact, approximate, upper or lower", choices=_BOUNDS),
    Column("words", "verbalQuantifier", "text", "the source's word of frequency"),
    Column("frequency_word", "quantifierTerm", "thing", "the scheme's term for that word", ("QuantifierTerm",)),
    Column("unit", "unitOfAnalysis", "choice", "lesion, patient, study or not_stated", choices=_UNITS),
    Column("reference_standard", "referenceStandard", "text", "how the diagnosis was proven"),
    Column("grade", "grade", "choice", "A counts, B secondary, C words, D own judgement", choices=_GRADES),
    Column("selected", "selectedSubset", "flag", "yes: the sample does not stand for the entity; never pooled"),
    Column("kept_apart", "keptApart", "text", "why it must not be pooled"),
    Column("duplicate_of", "duplicateOf", "statements", "ids of statements it repeats"),
    Column("disagrees_with", "disagreesWith", "statements", "ids of statements it contradicts"),
    Column("locator", "locator", "text", "section, table or page"),
    Column("note", "note", "text", "remark"),
    Column("as_printed", "asPrinted", "texts", "fields as an imported table had them, column: text | column: text"),
)
SOURCE_COLUMNS = (
    Column("title", "title", "text", "title of the publication"),
    Column("first_author", "firstAuthor", "text", "family name and initials"),
    Column("journal", "journal", "text", "journal"),
    Column("year", "year", "integer", "year"),
    Column("doi", "doi", "text", "DOI without its resolver"),
    Column("pmid", "pmid", "text", "PubMed id"),
    Column("url", "url", "text", "where it was read"),
)
COLUMNS = {column.name: column for column in (*STATEMENT_COLUMNS, *SOURCE_COLUMNS)}
REQUIRED = ("id", "given", "grade", "title")
