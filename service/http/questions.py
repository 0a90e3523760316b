"""The questions that one may post: which options each takes, and which method of the doors answers it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hepagraph.ontology.errors import CaseError, Problem, nearest

if TYPE_CHECKING:
    from hepagraph.service.doors import Doors
    from hepagraph.service.http.settings import Settings

Json = dict[str, Any]

TEXT: Json = {"type": "string"}
TEXTS: Json = {"type": "array", "items": TEXT, "maxItems": 2}
FLAG: Json = {"type": "boolean"}
OBJECT: Json = {"type": "object"}
OBJECTS: Json = {"type": "array", "items": OBJECT}

DIFFERENTIAL = {**TEXT, "description": "Which list of entities shares probability one; the default one if left out."}
ENTITY = {**TEXT, "description": "Which entity the ledger is about; the leading one if left out."}
AGAINST = {**TEXT, "description": "Which entity to weigh it against; all others if left out."}
PRIOR = {**OBJECT, "description": "A weight for every entity of the differential, in place of the model's own prior."}
COSTS = {
    **OBJECT,
    "description": "Losses and burdens in place of the ontology's; see hepagraph next-best --show-costs.",
}
LESION = {**TEXT, "description": "The id of the lesion whose findings change; the first if left out."}
SWEEP = {**TEXTS, "description": "One or two variables, of which every state, or pair of states, is a scenario."}
SCENARIOS = {
    **OBJECTS,
    "description": "Changes to the case: a name, values by key (null withdraws), and examinations in place of its own.",
}


@dataclass(frozen=True, slots=True)
class Question:
    """A question: its name, which is also its path, in one line what it answers, and its options by name.

    ``weight`` is how many times fewer lesions are answered at once, since each takes longer.
    """

    name: str
    summary: str
    options: Mapping[str, Json] = field(default_factory=dict)
    weight: int = 1

    @property
    def method(self) -> str:
        """The method of the doors that answers it."""
        return self.name.replace("-", "_")


QUESTIONS = (
    Question(
        "posterior",
        "The posterior probability of every entity, for every lesion",
        {
            "differential": DIFFERENTIAL,
            "interval": {**FLAG, "description": "Add 95 % credible intervals."},
            "prior": PRIOR,
            "reasons": {**FLAG, "description": "Weigh every finding; true if left out."},
            "surprise": {**FLAG, "description": "Check whether the findings fit the model; true if left out."},
        },
    ),
    Question(
        "explain",
        "What speaks for and against an entity, with sources, and the best story of each",
        {"differential": DIFFERENTIAL, "entity": ENTITY, "against": AGAINST, "prior": PRIOR},
        weight=2,
    ),
    Question(
        "what-if",
        "The answer as it is and under other findings or examinations",
        {"scenarios": SCENARIOS, "sweep": SWEEP, "lesion": LESION, "differential": DIFFERENTIAL, "prior": PRIOR},
    ),
    Question(
        "next-best",
        "What to look at next, by what it tells and what it saves",
        {"differential": DIFFERENTIAL, "costs": COSTS, "prior": PRIOR},
    ),
    Question(
        "sensitivity",
        "On which numbers the answer hangs",
        {"differential": DIFFERENTIAL, "prior": PRIOR},
        weight=4,
    ),
    Question(
        "recommend",
        "Which rules of protocol, reading and follow-up apply",
        {
            "differential": DIFFERENTIAL,
            "prior": PRIOR,
            "interval": {**FLAG, "description": "Add 95 % credible intervals to the probabilities that rules read."},
        },
    ),
    Question("response", "The grade of response of every treated lesion"),
)


def asked(question: Question, doors: Doors, settings: Settings, body: Any) -> Json:
    """Return the answer to a question whose body is ``{"case": CASE, ...options}``.

    Raises
    ------
    CaseError
        The body, the case or an option is bad.
    """
    options = read_options(question, body)
    case = options.pop("case")
    check_sizes(case, settings, question.weight)
    if question.name == "what-if":
        options.setdefault("scenarios", [])
        _check_scenarios(doors, options, settings)
    act: Callable[..., Json] = getattr(doors, question.method)
    return act(case, **options)


def read_options(question: Question, body: Any) -> Json:
    """Return the case and the options that a body gives; an option that is null is left out.

    Raises
    ------
    CaseError
        There is no case, or an option is unknown or of the wrong kind; every problem is named.
    """
    if not isinstance(body, dict):
        raise CaseError([Problem("type", "body", "must be a JSON object", advice='send {"case": {...}}')])
    allowed = ("case", *question.options)
    problems = []
    if "case" not in body:
        problems.append(Problem("missing", "body", "has no case", allowed, advice='send {"case": {...}}'))
    for name, value in body.items():
        if name not in allowed:
            what = f"unknown key {name[:60]!r}"
            problems.append(Problem("unknown_key", "body", what, allowed, nearest(name, allowed)))
        elif name != "case" and value is not None and not _fits(value, question.options[name]):
            problems.append(Problem("type", f"body / {name}", f"must be {_in_words(question.options[name])}"))
    if problems:
        raise CaseError(problems)
    return {name: value for name, value in body.items() if name == "case" or value is not None}


def check_sizes(case: Any, settings: Settings, weight: int = 1) -> None:
    """Refuse a case with more lesions than are answered at once; ``weight`` times fewer where each takes long.

    Raises
    ------
    CaseError
        There are more.
    """
    lesions = case.get("lesions") if isinstance(case, dict) else None
    most = max(1, settings.lesions // weight)
    if isinstance(lesions, list) and len(lesions) > most:
        what = f"{len(lesions)} are given, at most {most} are answered at once"
        raise CaseError([Problem("size", "case / lesions", what, advice="ask for fewer at a time")])


def _check_scenarios(doors: Doors, options: Json, settings: Settings) -> None:
    variables = doors.reasoner.reader.variables
    count = 1
    for name in options.get("sweep", ()):
        count *= len(variables[name].states) if name in variables else 1
    count = len(options["scenarios"]) + (count if options.get("sweep") else 0)
    if count > settings.scenarios:
        what = f"{count} scenarios are asked for, at most {settings.scenarios} are answered at once"
        raise CaseError([Problem("size", "body / scenarios", what, advice="ask for fewer at a time")])


_KINDS: dict[str, tuple[type, str]] = {
    "string": (str, "a string"),
    "boolean": (bool, "true or false"),
    "object": (dict, "a JSON object"),
    "array": (list, "a list"),
}


def _fits(value: Any, schema: Json) -> bool:
    if schema["type"] != "array":
        return isinstance(value, _KINDS[schema["type"]][0])
    if not isinstance(value, list) or len(value) > schema.get("maxItems", len(value)):
        return False
    return all(_fits(item, schema["items"]) for item in value)


def _in_words(schema: Json) -> str:
    if schema["type"] != "array":
        return _KINDS[schema["type"]][1]
    inner = {"string": "strings", "object": "JSON objects"}[schema["items"]["type"]]
    most = f"at most {schema['maxItems']} " if "maxItems" in schema else ""
    return f"a list of {most}{inner}"
