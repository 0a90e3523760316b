"""An estimator for scikit-learn: the network as a classifier of single lesions that nothing is learned for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepagraph.inference.columns import CodedTable, Column, ColumnReader
from hepagraph.inference.reasoner import Reasoner
from hepagraph.ontology.errors import (
    CaseError,
    ImpossibleEvidenceError,
    MissingExtraError,
    Problem,
    case_error,
    nearest,
)
from hepagraph.service.cells import array_columns, frame_columns, is_frame

try:
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import (
        assert_all_finite,
        check_consistent_length,
        check_is_fitted,
        column_or_1d,
        validate_data,
    )
except ImportError:
    raise MissingExtraError("the scikit-learn estimator", "learn") from None

Array = NDArray[np.float64]


class EntityClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """The posterior of each entity, for rows of findings; equal to ``Reasoner.posterior`` of single lesions.

    A row is a lesion of its own. In a data frame a column is a variable of patient, examination or lesion, or the
    measurement of one, and a cell is what a case may say there: a state, group or alias, a boolean, a number in the
    variable's unit, a list (one of these), an object (state to likelihood), or ``not_assessable``; None and NaN are not
    stated. An array of numbers holds codes of states, negative or NaN for not stated, in the order of ``columns``.

    Parameters
    ----------
    reasoner
        What answers; None: the ontology in the folder ``ontology``, or the packaged one, loaded by ``fit``.
    differential
        The name of a differential; None: the default.
    entities
        Some of its entities, to choose between these alone; None: all.
    columns
        The names of an array's columns; None: all variables, in the order of ``variable_names``.
    fit_prior
        Whether ``fit`` replaces the model's share of each entity by that in ``y``: posteriors are weighed by
        (count + 1) / (rows + entities) over the mean of P(entity | patient) in ``X``. What the patient says still
        counts.
    threads
        How many threads share the rows.

    Attributes
    ----------
    classes_
        The entities, sorted, as scikit-learn's metrics expect; columns of ``predict_proba``.
    columns_
        The names of the columns.
    weights_
        By which posteriors are weighed before they are made to sum to one, shape (entities,).
    """

    def __init__(
        self,
        reasoner: Reasoner | None = None,
        *,
        ontology: str | None = None,
        differential: str | None = None,
        entities: Sequence[str] | None = None,
        columns: Sequence[str] | None = None,
        fit_prior: bool = False,
        threads: int = 1,
    ) -> None:
        self.reasoner = reasoner
        self.ontology = ontology
        self.differential = differential
        self.entities = entities
        self.columns = columns
        self.fit_prior = fit_prior
        self.threads = threads

    def fit(self, X: Any, y: Any = None) -> EntityClassifier:  # noqa: N803
        """Check the table and the answers, and keep what describes them. Nothing is learned but, on wish, a prior.

        Raises
        ------
        CaseError
            A column, cell or entity is not known; the error names rows (from 0), columns, and what is allowed.
        """
        self.reasoner_ = self.reasoner or Reasoner.load(self.ontology)
        self.classes_ = np.array(sorted(self._entities()))
        if y is not None:
            if np.asarray(y).dtype.kind == "f":
                assert_all_finite(y, input_name="y")
            check_classification_targets(y)
            y = column_or_1d(y, warn=True)
            check_consistent_length(X, y)
        table = self._read(X, reset=True)
        found = None if y is None else self._answers(y)
        self.weights_ = np.ones(len(self.classes_))
        if self.fit_prior:
            if found is None:
                raise ValueError("fit_prior=True needs y: the shares of the entities come from it")
            self.weights_ = self._prior_weights(table, found)
        return self

    def predict_proba(self, X: Any) -> Array:  # noqa: N803
        """Return the posterior of each of ``classes_``, shape (rows, entities); rows sum to one.

        Raises
        ------
        CaseError
            A column or cell is not known, or a row has probability zero.
        """
        check_is_fitted(self)
        return _shares(self._posteriors(self._read(X, reset=False))[0] * self.weights_)

    def predict(self, X: Any) -> NDArray[np.str_]:  # noqa: N803
        """Return the most probable entity of each row."""
        best = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[best])

    def score_samples(self, X: Any) -> Array:  # noqa: N803
        """Return the logarithm of P(findings) of each row, shape (rows,)."""
        check_is_fitted(self)
        return self._posteriors(self._read(X, reset=False))[1]

    @property
    def variable_names(self) -> tuple[str, ...]:
        """The variables that an array's columns are where ``columns`` is None."""
        check_is_fitted(self, "reasoner_")
        return tuple(dict.fromkeys(v.name for v in ColumnReader(self.reasoner_.reader).keys.values()))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = tags.input_tags.categorical = tags.input_tags.allow_nan = True
        tags.target_tags.required = False
        tags.classifier_tags.poor_score = True  # on made-up data, which no finding is in
        return tags

    # -- inside ---------------------------------------------------------------------------------------------------

    def _entities(self) -> tuple[str, ...]:
        whole = self.reasoner_.entities(self.differential)
        chosen = whole if self.entities is None else tuple(self.entities)
        unknown = [
            Problem("unknown_key", "entities", f"{name!r} is not in the differential", whole, nearest(name, whole))
            for name in chosen
            if name not in whole
        ]
        if unknown or len(set(chosen)) < max(2, len(chosen)):
            advice = "give at least two, each once"
            raise case_error(unknown or [Problem("missing", "entities", "too few, or one twice", whole, advice=advice)])
        return chosen

    def _read(self, table: Any, *, reset: bool) -> CodedTable:
        columns: Mapping[str, Column]
        if is_frame(table):
            columns = frame_columns(table)
            validate_data(self, table, reset=reset, skip_check_array=True)
        else:
            array = validate_data(self, table, reset=reset, dtype=None, ensure_all_finite="allow-nan")
            columns = array_columns(array, self._names(array.shape[1]))
        if reset:
            self.columns_ = tuple(columns)
        found = ColumnReader(self.reasoner_.reader).read(columns)
        found.refuse()
        return found

    def _names(self, count: int) -> tuple[str, ...]:
        names = self.variable_names if self.columns is None else tuple(self.columns)
        if len(names) != count:
            whose = "all variables of the model" if self.columns is None else "columns"
            advice = "give columns=[...], or a data frame with named columns"
            what = f"the array has {count} columns; {whose}: {len(names)}"
            raise CaseError([Problem("type", "columns", what, advice=advice)])
        return names

    def _answers(self, y: Any) -> NDArray[Any]:
        found = np.asarray(y)
        known = self.classes_.tolist()
        problems = []
        for value in dict.fromkeys(found.tolist()):
            if value not in known:
                row = int(np.flatnonzero(found == value)[0]) if value == value else "with NaN"
                what = f"{str(value)[:60]!r} is not an entity to choose"
                problems.append(Problem("unknown_state", f"row {row}, y", what, tuple(known), nearest(value, known)))
        if problems:
            raise case_error(problems)
        return found

    def _posteriors(self, table: CodedTable) -> tuple[Array, Array]:
        posteriors, log = self.reasoner_.score(
            table.codes, vectors=table.vectors, differential=self.differential, threads=self.threads
        )
        impossible = np.flatnonzero(np.isneginf(log))
        if len(impossible):
            what = "its probability is zero under the model"
            raise ImpossibleEvidenceError([Problem("impossible", f"row {row}", what) for row in impossible[:50]])
        whole = self.reasoner_.entities(self.differential)
        return posteriors[:, [whole.index(entity) for entity in self.classes_]], log

    def _prior_weights(self, table: CodedTable, answers: NDArray[Any]) -> Array:
        variables = self.reasoner_.reader.variables
        findings = [n for n in table.codes if variables[n].section in ("findings", "lesion")]
        patient = {n: code for n, code in table.codes.items() if n not in findings}
        if not patient:
            patient = {findings[0]: np.full(1, -1, dtype=np.int32)}
        vectors = {n: v for n, v in table.vectors.items() if n in patient}
        known = CodedTable(patient, vectors, (), len(next(iter(patient.values()))))
        before = _shares(self._posteriors(known)[0]).mean(axis=0)
        counts = np.array([np.count_nonzero(answers == entity) for entity in self.classes_])
        return np.asarray((counts + 1) / (counts.sum() + len(counts)) / before)


def _shares(values: Array) -> Array:
    return np.asarray(values / values.sum(axis=1, keepdims=True))
