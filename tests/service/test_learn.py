"""The estimator: equal to the reasoner's own answers, good company for scikit-learn, and plain about what is wrong."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import log_loss
from sklearn.model_selection import cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.validation import validate_data

from hepagraph.inference import Reasoner
from hepagraph.inference.columns import Cells, CodedTable, ColumnReader, StateCodes
from hepagraph.ontology import CaseError, ContradictionError, UnitError, UnknownKeyError, UnknownStateError
from hepagraph.service.cells import frame_columns, series_column
from hepagraph.service.learn import EntityClassifier

RandomRows = Callable[..., list[dict[str, Any]]]


@pytest.fixture(scope="module")
def rows(random_rows: RandomRows) -> list[dict[str, Any]]:
    return random_rows(np.random.default_rng(5), 60)


@pytest.fixture(scope="module")
def frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def fitted(reasoner: Reasoner, frame: pd.DataFrame) -> EntityClassifier:
    return EntityClassifier(reasoner).fit(frame)


def test_rows_get_the_posterior_of_a_single_lesion(
    reasoner: Reasoner, fitted: EntityClassifier, frame: pd.DataFrame, rows: list[dict[str, Any]], as_case: Any
) -> None:
    """States, groups, aliases, lists, soft findings, booleans and numbers, of patient and lesion."""
    found, log = fitted.predict_proba(frame), fitted.score_samples(frame)
    kinds = {type(value) for row in rows for value in row.values()}
    assert {str, list, dict, float} <= kinds
    for position, row in enumerate(rows):
        lesion = reasoner.posterior(as_case(row), surprise=False, reasons=False).lesions[0]
        np.testing.assert_allclose(found[position], [lesion.posterior[e] for e in fitted.classes_], atol=1e-6)
        np.testing.assert_allclose(log[position], lesion.evidence_log, atol=1e-4)
    np.testing.assert_array_equal(fitted.predict(frame), fitted.classes_[found.argmax(axis=1)])
    np.testing.assert_allclose(found.sum(axis=1), 1)


def test_classes_are_sorted_as_metrics_expect(
    reasoner: Reasoner, fitted: EntityClassifier, frame: pd.DataFrame
) -> None:
    assert fitted.classes_.tolist() == sorted(reasoner.entities())
    found, y = fitted.predict_proba(frame), fitted.predict(frame)
    own = -np.log([p[fitted.classes_.tolist().index(name)] for p, name in zip(found, y, strict=True)]).mean()
    assert log_loss(y, found, labels=fitted.classes_) == pytest.approx(own)
    assert fitted.feature_names_in_.tolist() == list(frame.columns)
    assert fitted.columns_ == tuple(frame.columns)


def test_codes_of_states_say_the_same_as_their_names(reasoner: Reasoner) -> None:
    rng = np.random.default_rng(6)
    variables = [v for v in reasoner.reader.inputs("findings", "patient").values() if v.section == "findings"][:6]
    names = [v.name for v in variables]
    codes = np.column_stack([rng.integers(-1, len(v.states), 30) for v in variables])
    said = {v.name: [v.states[c] if c >= 0 else None for c in codes[:, i]] for i, v in enumerate(variables)}
    wanted = EntityClassifier(reasoner).fit(pd.DataFrame(said)).predict_proba(pd.DataFrame(said))
    floats = np.where(codes < 0, np.nan, codes)
    text = np.array(pd.DataFrame(said), dtype=object)
    for array in (codes, floats, np.asfortranarray(codes.astype(np.int8)), text):
        found = EntityClassifier(reasoner, columns=names).fit(array)
        np.testing.assert_allclose(found.predict_proba(array), wanted, atol=1e-9)
        assert found.n_features_in_ == 6


def test_an_array_of_all_variables_needs_no_names(reasoner: Reasoner) -> None:
    names = EntityClassifier(reasoner).fit(pd.DataFrame({next(iter(reasoner.reader.variables)): [None]})).variable_names
    nothing = np.full((3, len(names)), -1)
    found = EntityClassifier(reasoner).fit(nothing).predict_proba(nothing)
    prior = reasoner.posterior({"lesions": [{"findings": {}}]}).lesions[0].posterior
    np.testing.assert_allclose(found, [[prior[e] for e in sorted(prior)]] * 3, atol=1e-6)
    with pytest.raises(CaseError, match=r"the array has 2 columns.*give columns="):
        EntityClassifier(reasoner).fit(nothing[:, :2])


@pytest.mark.parametrize("dtype", ["category", "string", object])
def test_how_pandas_keeps_text_does_not_matter(fitted: EntityClassifier, frame: pd.DataFrame, dtype: Any) -> None:
    plain = frame.map(lambda value: value if isinstance(value, str) else None)
    np.testing.assert_array_equal(fitted.predict_proba(plain.astype(dtype)), fitted.predict_proba(plain))


def test_booleans_numbers_and_missing_values_of_every_kind(reasoner: Reasoner, as_case: Any) -> None:
    variables = reasoner.reader.variables.values()
    flag = next(v for v in variables if v.section == "findings" and v.booleans)
    measured = next(v for v in variables if v.section == "lesion" and v.measure)
    assert measured.measure is not None
    key = measured.measure.key
    tables = [
        pd.DataFrame({flag.name: [True, False, None], key: [12, 31.5, np.nan]}),
        pd.DataFrame({flag.name: pd.array([True, False, None], "boolean"), key: pd.array([12, 31.5, None], "Float64")}),
        pd.DataFrame({flag.name: [True, False, pd.NA], key: [12, 31.5, None]}, dtype=object),
    ]
    rows = [{flag.name: True, key: 12}, {flag.name: False, key: 31.5}, {}]
    wanted = [reasoner.posterior(as_case(row)).lesions[0].posterior for row in rows]
    for table in tables:
        found = EntityClassifier(reasoner).fit(table)
        expected = [[answer[e] for e in found.classes_] for answer in wanted]
        np.testing.assert_allclose(found.predict_proba(table), expected, atol=1e-6)


class Records:
    """A column of records as polars keeps them: each has all fields, and as an array they are numbers."""

    dtype = object()

    def to_list(self) -> list[Any]:
        return [{"regular": 1.0, "irregular": 0.25}, {"regular": None, "irregular": 1.0}, None]

    def to_numpy(self) -> Any:
        return np.array([[1.0, 0.25], [np.nan, 1.0], [np.nan, np.nan]])


def test_a_column_of_records_holds_soft_findings() -> None:
    found = series_column(Records())
    assert isinstance(found, Cells)
    assert found.distinct == [{"regular": 1.0, "irregular": 0.25}, {"irregular": 1.0}]
    assert found.index.tolist() == [0, 1, -1]


def test_truth_and_one_are_kept_apart(reasoner: Reasoner) -> None:
    flag = next(v for v in reasoner.reader.variables.values() if v.section == "findings" and v.booleans)
    with pytest.raises(UnknownStateError, match=r"^row 1, column .*: '1' is not a state"):
        EntityClassifier(reasoner).fit(pd.DataFrame({flag.name: [True, 1, True]}, dtype=object))


def test_errors_name_row_column_value_what_is_allowed_and_the_nearest(reasoner: Reasoner) -> None:
    variables = list(reasoner.reader.variables.values())
    first = next(v for v in variables if v.section == "findings" and len(v.states) > 2)
    measured = next(v for v in variables if v.section == "lesion" and v.measure)
    assert measured.measure is not None
    misspelt, key = first.states[0] + "x", measured.measure.key
    good = pd.DataFrame({first.name: [first.states[0]], key: [10.0]})
    model = EntityClassifier(reasoner).fit(good)
    bad = pd.DataFrame({first.name: [None, misspelt, misspelt], key: [10.0, 10.0, 1e9]})
    with pytest.raises(CaseError) as caught:
        model.predict_proba(bad)
    state, number = caught.value.problems
    assert state.where == f"row 1 (and 1 more row), column {first.name}"
    assert (state.nearest, misspelt in state.what) == (first.states[0], True)
    assert set(first.states) <= set(state.allowed)
    assert number.where == f"row 2, column {key}" and measured.measure.unit in number.what
    with pytest.raises(UnitError):
        model.predict(bad[[first.name, key]].assign(**{first.name: None}))
    with pytest.raises(UnknownKeyError, match=f"unknown column '{first.name}x'; did you mean {first.name}"):
        EntityClassifier(reasoner).fit(good.rename(columns={first.name: first.name + "x"}))
    with pytest.raises(ContradictionError, match="both say"):
        EntityClassifier(reasoner).fit(good.assign(**{measured.name: measured.states[0]}))
    with pytest.raises(UnknownStateError, match=r"row 1, column .*99 is not the code of a state.*negative: not stated"):
        EntityClassifier(reasoner, columns=[first.name]).fit(np.array([[0], [99]]))
    with pytest.raises(UnknownStateError, match="codes are whole numbers"):
        EntityClassifier(reasoner, columns=[first.name]).fit(np.array([[0.0], [0.5]]))
    with pytest.raises(CaseError, match="stands twice"):
        frame_columns(pd.concat([good, good], axis=1))


def test_answers_and_entities_are_checked(reasoner: Reasoner, frame: pd.DataFrame) -> None:
    entities = sorted(reasoner.entities())
    y = np.resize(entities, len(frame)).astype(object)
    assert EntityClassifier(reasoner).fit(frame, y).classes_.tolist() == entities
    y[3] = entities[0] + "s"
    with pytest.raises(
        UnknownStateError, match=f"row 3, y: '{y[3]}' is not an entity to choose; did you mean {entities[0]}"
    ):
        EntityClassifier(reasoner).fit(frame, y)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        EntityClassifier(reasoner).fit(frame, y[:-1])
    with pytest.raises(UnknownKeyError, match="did you mean"):
        EntityClassifier(reasoner, entities=[entities[0], entities[1] + "s"]).fit(frame)
    with pytest.raises(CaseError, match="too few"):
        EntityClassifier(reasoner, entities=entities[:1]).fit(frame)
    with pytest.raises(UnknownKeyError, match="differential"):
        EntityClassifier(reasoner, differential="nothing").fit(frame)
    with pytest.raises(ValueError, match="needs y"):
        EntityClassifier(reasoner, fit_prior=True).fit(frame)


def test_some_entities_share_what_they_had_together(
    reasoner: Reasoner, fitted: EntityClassifier, frame: pd.DataFrame
) -> None:
    chosen = [reasoner.entities()[2], reasoner.entities()[0]]
    found = EntityClassifier(reasoner, entities=chosen).fit(frame).predict_proba(frame)
    whole = fitted.predict_proba(frame)[:, [fitted.classes_.tolist().index(name) for name in sorted(chosen)]]
    np.testing.assert_allclose(found, whole / whole.sum(axis=1, keepdims=True))


def test_a_fitted_prior_moves_the_mean_to_the_shares_seen(reasoner: Reasoner, frame: pd.DataFrame) -> None:
    """Without findings the mean over the patients is the smoothed share of y, whatever they say of themselves."""
    patient = frame[[n for n in frame.columns if reasoner.reader.inputs("patient").get(n)]]
    entities = sorted(reasoner.entities())
    y = np.array([entities[0]] * 40 + [entities[1]] * 20)
    plain = EntityClassifier(reasoner).fit(frame, y)
    model = clone(plain).set_params(fit_prior=True).fit(frame, y)
    assert (plain.weights_ == 1).all()
    before = EntityClassifier(reasoner).fit(patient).predict_proba(patient).mean(axis=0)
    wanted = np.array([41, 21, *[1] * (len(entities) - 2)]) / (60 + len(entities))
    np.testing.assert_allclose(model.weights_ * before, wanted, rtol=1e-5)
    weighed = plain.predict_proba(frame) * model.weights_
    np.testing.assert_allclose(model.predict_proba(frame), weighed / weighed.sum(axis=1, keepdims=True))
    alone = frame.drop(columns=patient.columns)
    prior = reasoner.posterior({"lesions": [{"findings": {}}]}).lesions[0].posterior
    np.testing.assert_allclose(clone(model).fit(alone, y).weights_ * [prior[e] for e in entities], wanted, rtol=1e-5)


def test_threads_copies_and_pickles_answer_alike(fitted: EntityClassifier, frame: pd.DataFrame) -> None:
    wanted = fitted.predict_proba(frame)
    again = pickle.loads(pickle.dumps(fitted))  # noqa: S301
    np.testing.assert_array_equal(again.predict_proba(frame), wanted)
    copied = clone(fitted).set_params(threads=3)
    assert copied.reasoner is fitted.reasoner
    np.testing.assert_array_equal(copied.fit(frame).predict_proba(frame), wanted)


def test_it_loads_its_own_model(data: Any) -> None:
    table = pd.DataFrame({next(iter(Reasoner.load(data / "coin").reader.inputs("findings"))): [None]})
    model = EntityClassifier(ontology=str(data / "coin")).fit(table)
    assert model.predict_proba(table).shape == (1, 2)
    assert len(EntityClassifier().get_params()) == 7


def test_in_the_company_of_scikit_learn(reasoner: Reasoner, fitted: EntityClassifier, frame: pd.DataFrame) -> None:
    y = np.resize(fitted.classes_, len(frame))
    pipe = make_pipeline(FunctionTransformer(lambda table: table), EntityClassifier(reasoner))
    np.testing.assert_array_equal(pipe.fit(frame, y).predict_proba(frame), fitted.predict_proba(frame))
    scores = cross_val_score(pipe, frame, y, cv=3, scoring="neg_log_loss")
    assert len(scores) == 3 and np.isfinite(scores).all()
    found = cross_val_predict(EntityClassifier(reasoner), frame, y, cv=3)
    np.testing.assert_array_equal(found, fitted.predict(frame))  # nothing is learned
    for method in ("sigmoid", "temperature"):
        calibrated = CalibratedClassifierCV(FrozenEstimator(fitted), method=method).fit(frame, y)
        assert calibrated.classes_.tolist() == fitted.classes_.tolist()
        np.testing.assert_allclose(calibrated.predict_proba(frame).sum(axis=1), 1)
    nested = CalibratedClassifierCV(EntityClassifier(reasoner), cv=3).fit(frame, y)
    assert nested.predict(frame).shape == (len(frame),)


class FromNumbers(EntityClassifier):
    """Turns scikit-learn's made-up numbers into codes and its labels into entities, so that its checks can run."""

    def _read(self, table: Any, *, reset: bool) -> CodedTable:
        array = validate_data(self, table, reset=reset, dtype=np.float64, ensure_all_finite="allow-nan")
        array = np.nan_to_num(np.abs(array))
        keys = [v for v in self.reasoner_.reader.inputs("findings").values() if v.section == "findings"]
        columns = {
            v.name: StateCodes((array[:, i] * 8).astype(np.int64) % len(v.states))
            for i, v in enumerate(keys[: array.shape[1]])
        }
        return ColumnReader(self.reasoner_.reader).read(columns)

    def _answers(self, y: Any) -> Any:
        labels = {label: self.classes_[i % len(self.classes_)] for i, label in enumerate(np.unique(np.asarray(y)))}
        return super()._answers([labels[label] for label in np.asarray(y)])

    def predict(self, X: Any) -> Any:
        found = super().predict(X)
        return np.searchsorted(self.classes_, found) * 1.0


SKIN = Reasoner.load(Path(__file__).resolve().parents[1] / "data" / "skin")
NUMBERS = "its columns are none of the model's variables and its cells no codes of states: refused, as they should be"
CLASSES = "classes are the entities of the model, whichever of them y holds"
LEARNS = "it wants something to be learned from made-up numbers"
ABOUT_CLASSES = {
    "check_classifiers_one_label": CLASSES,
    "check_classifiers_classes": CLASSES,
    "check_classifiers_train": LEARNS,
}
ABOUT_NUMBERS = """
    check_fit_score_takes_y check_estimators_overwrite_params check_dont_overwrite_parameters
    check_estimators_fit_returns_self check_readonly_memmap_input check_n_features_in_after_fitting
    check_positive_only_tag_during_fit check_estimators_dtypes check_dtype_object check_pipeline_consistency
    check_estimators_pickle check_f_contiguous_array_estimator check_classifier_data_not_an_array
    check_supervised_y_2d check_methods_sample_order_invariance check_methods_subset_invariance
    check_fit2d_1sample check_fit2d_1feature check_dict_unchanged check_fit_idempotent check_fit_check_is_fitted
    check_n_features_in check_fit2d_predict1d
"""
FAILING: dict[type, dict[str, str]] = {
    EntityClassifier: {**dict.fromkeys(ABOUT_NUMBERS.split(), NUMBERS), **ABOUT_CLASSES},
    FromNumbers: ABOUT_CLASSES,
}


@parametrize_with_checks(
    [EntityClassifier(SKIN), FromNumbers(SKIN)], expected_failed_checks=lambda estimator: FAILING[type(estimator)]
)
def test_scikit_learns_own_checks(estimator: Any, check: Any) -> None:
    check(estimator)


def test_a_missing_library_is_said_with_the_command() -> None:
    code = (
        "import sys; sys.modules['sklearn'] = None\n"
        "try: import hepagraph.service.learn\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert found.startswith("MissingExtraError") and "pip install 'hepagraph[learn]'" in found
