"""What is compared: anything with a name that gives each lesion of a case a distribution over entities."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hepagraph.inference.case import Case
from hepagraph.inference.naive_bayes import NaiveBayes
from hepagraph.inference.network import ENTITY, Network
from hepagraph.inference.reasoner import Reasoner

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Prediction:
    """The answer to one lesion; ``surprising`` is None where the model does not say whether the findings fit."""

    posterior: Mapping[str, float]
    surprising: bool | None = None


class Predictor(Protocol):
    """A model under evaluation."""

    @property
    def name(self) -> str:
        """What the tables call it."""
        ...

    def predict(self, case: Case, differential: tuple[str, ...], differential_name: str | None) -> list[Prediction]:
        """Return the answer to every lesion, in order; the entities of the differential share probability one."""
        ...


@dataclass(frozen=True, slots=True)
class ReasonerPredictor:
    """The full model, asked as a user asks it."""

    reasoner: Reasoner
    name: str = "full model"

    def predict(self, case: Case, differential: tuple[str, ...], differential_name: str | None) -> list[Prediction]:
        """Return the reasoner's posteriors, and whether it flags the findings as surprising."""
        result = self.reasoner.posterior(case, differential=differential_name, reasons=False)
        return [Prediction(lesion.posterior, _surprising(lesion.to_dict())) for lesion in result.lesions]


def _surprising(lesion: Mapping[str, object]) -> bool | None:
    surprise = lesion.get("surprise")
    return bool(surprise["flag"]) if isinstance(surprise, dict) and "flag" in surprise else None


@dataclass(frozen=True, slots=True)
class NaiveBayesPredictor:
    """The pooled naive Bayes baseline."""

    model: NaiveBayes
    name: str = "naive Bayes"

    def predict(self, case: Case, differential: tuple[str, ...], differential_name: str | None) -> list[Prediction]:
        """Return the baseline's posteriors."""
        return [Prediction(posterior) for posterior in self.model.posterior(case, differential).values()]


@dataclass(frozen=True, slots=True)
class NetworkPredictor:
    """Any network, its lesions taken one by one: for ablations.

    ``reading`` may turn the likelihood vectors of what was seen into those of what is there, as the full model does.
    """

    network: Network
    name: str
    reading: Callable[[Network, Mapping[str, Array]], dict[str, Array]] | None = None

    def predict(self, case: Case, differential: tuple[str, ...], differential_name: str | None) -> list[Prediction]:
        """Return P(entity | findings) of each lesion, from those findings that the network has."""
        states = self.network.states[ENTITY]
        member = np.array([float(entity in differential) for entity in states])
        found = []
        for lesion in case.lesions:
            seen = {**case.context, **lesion.findings}
            vectors = {name: np.array(f.likelihood) for name, f in seen.items() if name in self.network.tables}
            likelihood = {ENTITY: member, **(self.reading(self.network, vectors) if self.reading else vectors)}
            values = self.network.engine.marginals(likelihood, [ENTITY]).posterior[ENTITY]
            by_entity = dict(zip(states, map(float, values), strict=True))
            found.append(Prediction({entity: by_entity[entity] for entity in differential}))
        return found


def check_names(predictors: Sequence[Predictor]) -> None:
    """Refuse an empty list and two predictors of one name."""
    names = [predictor.name for predictor in predictors]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"predictors need distinct names, at least one: {', '.join(names) or 'none given'}")
