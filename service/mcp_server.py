"""The doors as tools of the Model Context Protocol. Imports the SDK, so import it where that is known to be there.

Labels and names come from the ontology at start; nothing here knows what it is about.
"""

from __future__ import annotations

import functools
import json
import logging
import logging.config
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, ParamSpec, TypeVar

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ToolAnnotations
from pydantic import BaseModel, ConfigDict, Field

from hepagraph.inference.stopping import time_limit
from hepagraph.ontology.errors import CaseError, HepagraphError, QueryError, printable_lines
from hepagraph.ontology.files import find_ontology
from hepagraph.ontology.named_queries import read_query
from hepagraph.service.logs import config, log_exception

if TYPE_CHECKING:
    from hepagraph.service.doors import Doors
    from hepagraph.service.sparql_workers import SparqlAnswer, SparqlWorkers

P = ParamSpec("P")
R = TypeVar("R")
Json = dict[str, Any]
MANY_PROBLEMS = 20
SECONDS = 120.0  # that an answer may take; queries have a limit of their own
LOG = logging.getLogger("hepagraph.mcp")
READING = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False)


class Lesion(BaseModel):
    """One lesion: what was seen of it."""

    model_config = ConfigDict(extra="allow")

    id: str | None = Field(None, description="A name for the lesion; comes back in the answer.")
    findings: dict[str, Any] = Field(
        default_factory=dict,
        description="What was seen, by variable: a state or group of states, a list (one of these), an object "
        "state -> likelihood, or not_assessable. Leave out what is not known. Measures such as sizes in mm stand "
        "beside findings, by their key. See the tool vocabulary for all names.",
    )


class Case(BaseModel):
    """One patient: what is known of them, how they were examined, and their lesions."""

    model_config = ConfigDict(extra="allow")

    id: str | None = Field(None, description="A name for the case; comes back in the answer. Name no patient.")
    patient: dict[str, Any] | None = Field(None, description="What is known of the patient, by variable.")
    exam: list[dict[str, Any]] | None = Field(
        None, description="The examinations, each an object such as modality and contrast_agent."
    )
    lesions: list[Lesion] = Field(min_length=1, description="At least one; lesions of a patient inform each other.")


class Scenario(BaseModel):
    """A change to the case."""

    name: str = Field(description="What to call the scenario in the answer.")
    values: dict[str, Any] = Field(
        default_factory=dict, description="Values by variable or measure, as in the case; null withdraws one."
    )
    exam: list[dict[str, Any]] | None = Field(None, description="Examinations in place of the case's own.")


CaseInput = Annotated[Case, Field(description="The patient, their examinations and lesions.")]
Differential = Annotated[str | None, Field(description="Which list of entities shares probability one.")]
Prior = Annotated[
    dict[str, float] | None, Field(description="A weight for every entity, in place of the model's prior.")
]
Entity = Annotated[str | None, Field(description="Which entity the reasons are about; the leading one if left out.")]


def mcp_server(doors: Doors, workers: SparqlWorkers) -> MCPServer[Any]:
    """Return the server; ``workers`` answer SPARQL over the same ontology."""
    if not logging.getLogger().handlers:  # else the SDK would print tracebacks, which quote what was sent
        logging.config.dictConfig(config())
    server: MCPServer[Any] = MCPServer(
        "hepagraph",
        title="hepagraph",
        version=doors.model()["version"],
        instructions=_instructions(doors),
        log_level="WARNING",  # below that, the arguments of refused calls are logged
    )
    _add_questions(server, doors)
    _add_knowledge(server, doors, workers)
    return server


def _instructions(doors: Doors) -> str:
    known = doors.vocabulary()
    entities = ", ".join(f"{entity['name']} ({entity['label']})" for entity in known["entities"])
    return (
        "Exact, sourced posterior probabilities from an ontology of findings. Entities: "
        f"{entities}. Call vocabulary first: every name in a case must be one of its. State only what was seen; "
        f"leave out the rest. Quote the notice of an answer with it: {doors.model()['notice']}"
    )


def _tool(server: MCPServer[Any], title: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Register a function as a tool that only reads; tell of its expected errors in full, and of others nothing.

    Of those the log holds type and place: a message, and what a traceback quotes, may be a patient's.
    """

    def register(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def told(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                with time_limit(SECONDS):
                    found = function(*args, **kwargs)
                json.dumps(found, ensure_ascii=False).encode()
                return found
            except UnicodeEncodeError as error:
                what = f"{error.object[error.start]!r} is half a character and cannot be sent"
                raise ToolError(f"{what}; mend the id or name that holds it") from None
            except CaseError as error:
                shown = [str(problem) for problem in error.problems[:MANY_PROBLEMS]]
                if len(error.problems) > len(shown):
                    shown.append(f"and {len(error.problems) - len(shown)} more problems")
                raise ToolError("\n".join(shown)) from None
            except HepagraphError as error:
                raise ToolError(printable_lines(str(error))) from None
            except Exception as error:
                raise ToolError(_unexpected(error)) from None

        server.add_tool(told, title=title, annotations=READING, structured_output=True)
        return told

    return register


def _unexpected(error: Exception) -> str:
    log_exception(LOG, error)
    return "The server failed. What was sent is not kept; the log says where it failed."


def _plain(case: Case) -> Json:
    return case.model_dump(exclude_unset=True)


def _add_questions(server: MCPServer[Any], doors: Doors) -> None:
    @_tool(server, "Posterior probabilities")
    def score(
        case: CaseInput,
        differential: Differential = None,
        interval: Annotated[bool, Field(description="Add 95 % credible intervals; takes a few times longer.")] = False,
        prior: Prior = None,
    ) -> dict[str, Any]:
        """Return for every lesion the posterior probability of each entity, subtypes, mechanisms, reasons, warnings."""
        return doors.posterior(_plain(case), differential=differential, interval=interval, prior=prior)

    @_tool(server, "Reasons with sources")
    def explain(
        case: CaseInput,
        differential: Differential = None,
        entity: Entity = None,
        against: Annotated[str | None, Field(description="Weigh against this rival; all others if left out.")] = None,
        prior: Prior = None,
    ) -> dict[str, Any]:
        """Return what speaks for and against an entity: weights that add up, causal paths, and published evidence."""
        return doors.explain(_plain(case), differential=differential, entity=entity, against=against, prior=prior)

    @_tool(server, "Scenarios")
    def what_if(
        case: CaseInput,
        scenarios: Annotated[list[Scenario], Field(description="Changes, each answered apart.")] = [],  # noqa: B006
        sweep: Annotated[
            list[str], Field(max_length=2, description="One or two variables, of which every state is tried.")
        ] = [],  # noqa: B006
        lesion: Annotated[
            str | None, Field(description="The id of the lesion that changes; the first if left out.")
        ] = None,
        differential: Differential = None,
        prior: Prior = None,
    ) -> dict[str, Any]:
        """Return the posteriors of the case as it is and under other findings or examinations, with the changes."""
        asked = [scenario.model_dump(exclude_unset=True) for scenario in scenarios]
        return doors.what_if(_plain(case), asked, sweep=sweep, lesion=lesion, differential=differential, prior=prior)

    @_tool(server, "What to look at next")
    def next_best(
        case: CaseInput,
        differential: Differential = None,
        costs: Annotated[
            dict[str, Any] | None, Field(description="Losses and burdens in place of the ontology's, by name.")
        ] = None,
        prior: Prior = None,
    ) -> dict[str, Any]:
        """Return which finding, examination or test would tell most, in bits and in expected loss saved."""
        return doors.next_best(_plain(case), differential=differential, costs=costs, prior=prior)

    @_tool(server, "What the answer hangs on")
    def sensitivity(case: CaseInput, differential: Differential = None, prior: Prior = None) -> dict[str, Any]:
        """Return on which numbers of the model the answer hangs, and which would turn it."""
        return doors.sensitivity(_plain(case), differential=differential, prior=prior)

    @_tool(server, "Rules that apply")
    def recommend(case: CaseInput, differential: Differential = None, prior: Prior = None) -> dict[str, Any]:
        """Return which published rules of protocol, reading and follow-up apply to the case, and why."""
        return doors.recommend(_plain(case), differential=differential, prior=prior)

    if doors.grades_response:

        @_tool(server, "Response to treatment")
        def response(
            case: Annotated[
                Case,
                Field(description="As elsewhere; the signs of each treated lesion stand in its object 'response'."),
            ],
        ) -> dict[str, Any]:
            """Return the grade of response of every treated lesion, with reasons."""
            return doors.response(_plain(case))

    @_tool(server, "What an entity looks like")
    def archetype(
        entity: Annotated[str, Field(description="The name of an entity.")],
        patient: Annotated[dict[str, Any] | None, Field(description="What is known of the patient.")] = None,
        exam: Annotated[
            list[dict[str, Any]] | None, Field(description="On these examinations; all if left out.")
        ] = None,
        differential: Differential = None,
    ) -> dict[str, Any]:
        """Return an entity's most telling findings, its closest look-alike, and the finding that tells them apart."""
        return doors.archetype(entity, patient=patient, exam=exam, differential=differential)


def _add_knowledge(server: MCPServer[Any], doors: Doors, workers: SparqlWorkers) -> None:
    known = [read_query(path) for path in find_ontology(doors.ontology).queries]

    def marked(answer: Json) -> Json:
        return {**answer, "model": dict(doors.reasoner.model)}

    @_tool(server, "Names that a case may use")
    def vocabulary(
        variables: Annotated[
            list[str] | None, Field(description="Only these variables; all, about 20 kB, if left out.")
        ] = None,
    ) -> dict[str, Any]:
        """Return every variable that a case may state, with its section, states, groups and unit, and the entities."""
        found = doors.vocabulary()
        if variables is None:
            return marked(found)
        chosen = [one for one in found["variables"] if one["name"] in variables]
        names = [one["name"] for one in found["variables"]]
        if unknown := sorted(set(variables) - set(names)):
            raise QueryError(f"no variable is called {', '.join(unknown)}; allowed: {', '.join(names)}")
        return marked({"variables": chosen})

    @_tool(server, "Questions that the ontology brings")
    def named_queries() -> dict[str, Any]:
        """Return the named queries that the tool sparql answers: name, question, and parameters with their meaning."""
        listed = [
            {
                "name": query.name,
                "question": query.question,
                "parameters": [{"name": p.name, "default": p.default, "help": p.help} for p in query.parameters],
            }
            for query in known
        ]
        return marked({"queries": listed})

    @_tool(server, "Ask the ontology")
    def sparql(
        query: Annotated[
            str | None,
            Field(description="A SELECT or ASK query. The prefixes fl, id, prov, dcterms, skos, rdfs are declared."),
        ] = None,
        name: Annotated[str | None, Field(description="Or the name of a named query; see named_queries.")] = None,
        parameters: Annotated[dict[str, str] | None, Field(description="Parameters of the named query.")] = None,
    ) -> dict[str, Any]:
        """Answer a question to the evidence behind the model in SPARQL, read-only, with limits of time and rows."""
        if (query is None) == (name is None):
            raise QueryError("give either query or name")
        if query is not None:
            found = workers.ask(query, rows=("plain",), graph=())
        else:
            found = workers.ask_named(str(name), parameters or {})
        return marked(_rows(found, workers.limits.rows))

    @server.resource("hepagraph://vocabulary", title="Vocabulary", mime_type="application/json")
    def vocabulary_resource() -> str:
        """Every variable that a case may state, and the entities."""
        return json.dumps(marked(doors.vocabulary()), ensure_ascii=False)

    @server.resource("hepagraph://model", title="Model", mime_type="application/json")
    def model_resource() -> str:
        """What answers: version, hash of the ontology, differentials, sizes, and what it is not."""
        return json.dumps(doors.model(), ensure_ascii=False)


def _rows(found: SparqlAnswer, most: int) -> Json:
    if found.format is None:
        raise QueryError("only SELECT and ASK are answered here")
    answer: Json = json.loads(found.body)
    return {**answer, "note": f"only the first {most} rows; add LIMIT, or ask for less"} if found.truncated else answer
