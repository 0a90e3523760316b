"""Data frames and arrays as columns of findings; pandas and polars are known by what they can do, and not imported."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepagraph.inference.columns import Cells, Column, Numbers, StateCodes
from hepagraph.ontology.errors import Problem, case_error

_MISSING = ("NAType", "NaTType")


def is_frame(table: Any) -> bool:
    """Return whether a table has columns with names, as data frames have."""
    return hasattr(table, "columns") and hasattr(table, "__getitem__") and not isinstance(table, np.ndarray)


def frame_columns(frame: Any) -> dict[str, Column]:
    """Return the columns of a data frame."""
    names = [str(name) for name in frame.columns]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise case_error([Problem("contradiction", "columns", f"{name!r} stands twice") for name in twice])
    return {str(name): series_column(frame[name]) for name in frame.columns}


def series_column(series: Any) -> Column:
    """Return one column of a data frame: numbers, or cells with missing ones left out."""
    kind = getattr(series.dtype, "kind", "O")
    if kind in "iuf":
        return Numbers(_floats(series))
    if hasattr(series, "factorize"):
        try:
            index, distinct = series.factorize()
        except TypeError:  # lists and objects cannot be hashed
            return cells(series.to_numpy(dtype=object))
        values = [_plain(value) for value in distinct]
        if kind == "b" or all(isinstance(value, str) for value in values):
            return Cells(values, np.asarray(index))
    return cells(map(_named, series.to_list()) if hasattr(series, "to_list") else np.asarray(series, dtype=object))


def array_columns(array: NDArray[Any], names: Sequence[str]) -> dict[str, Column]:
    """Return the columns of an array, shape (rows, columns): codes of states if it holds numbers, else cells.

    Raises
    ------
    CaseError
        A number is no whole number (missing ones may be NaN or negative).
    """
    if array.dtype.kind not in "iufb":
        return {name: cells(array[:, position]) for position, name in enumerate(names)}
    return {name: StateCodes(_codes(array[:, position], name)) for position, name in enumerate(names)}


def cells(values: Iterable[Any]) -> Cells:
    """Return any values as cells, one after the other; true and 1 are kept apart."""
    position: dict[Hashable, int] = {}
    distinct: list[Any] = []
    index = []
    for given in values:
        value = _plain(given)
        if _missing(value):
            index.append(-1)
            continue
        key = _key(value)
        if key not in position:
            position[key] = len(distinct)
            distinct.append(value)
        index.append(position[key])
    return Cells(distinct, np.array(index, dtype=np.int64))


def _floats(series: Any) -> NDArray[np.float64]:
    try:
        found = series.to_numpy(dtype=np.float64, na_value=np.nan)
    except TypeError:  # not pandas
        found = series.to_numpy().astype(np.float64)
    return np.asarray(found, dtype=np.float64)


def _codes(values: NDArray[Any], name: str) -> NDArray[np.int64]:
    if values.dtype.kind != "f":
        return values.astype(np.int64)
    missing = np.isnan(values)
    wrong = np.flatnonzero(~missing & ~(np.floor(values) == values))
    wrong = wrong if len(wrong) else np.flatnonzero(np.abs(np.where(missing, 0, values)) >= 2**31)
    if len(wrong):
        what = f"{values[wrong[0]]:g} is not the code of a state: codes are whole numbers"
        advice = "negative or NaN where not stated; measurements need a data frame with named columns"
        raise case_error([Problem("unknown_state", f"row {wrong[0]}, column {name}", what, advice=advice)])
    return np.where(missing, -1, values).astype(np.int64)


def _named(value: Any) -> Any:
    """Return a value, and of a record, which holds every field of its column, those that it states."""
    return {name: w for name, w in value.items() if not _missing(w)} if isinstance(value, dict) else value


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    return value.item() if isinstance(value, np.generic) else value


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and value != value) or type(value).__name__ in _MISSING


def _key(value: Any) -> Hashable:
    if isinstance(value, list | tuple):
        return (list, tuple(map(_key, value)))
    if isinstance(value, dict):
        return (dict, tuple((name, _key(inside)) for name, inside in value.items()))
    return (type(value), value if isinstance(value, Hashable) else repr(value))
