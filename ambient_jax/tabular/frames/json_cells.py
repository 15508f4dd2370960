"""Converts cells and column names to JSON and back, with their types.

Pickle is not used, because to read a pickle can run code.
"""

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd


def _timestamp_from_json(fields: list[Any]) -> Any:
    text, zone, unit = fields
    stamp: Any = pd.Timestamp(text)
    return (stamp if zone is None else stamp.tz_convert(zone)).as_unit(unit)


def _timestamp_to_json(value: Any) -> list[Any]:
    return [value.isoformat(), None if value.tz is None else str(value.tz), value.unit]


_CONVERTERS: dict[type, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    pd.Timestamp: (_timestamp_to_json, _timestamp_from_json),
    pd.Timedelta: (lambda v: [str(v.asm8.astype(np.int64)), v.unit],
                   lambda f: pd.Timedelta(int(f[0]), f[1]).as_unit(f[1])),
    pd.Period: (lambda v: [str(v.ordinal), v.freqstr],
                lambda f: pd.Period(ordinal=int(f[0]), freq=f[1])),
    pd.Interval: (lambda v: [to_json(v.left), to_json(v.right), v.closed],
                  lambda f: pd.Interval(from_json(f[0]), from_json(f[1]), f[2])),
    dt.datetime: (lambda v: _timestamp_to_json(pd.Timestamp(v)),
                  lambda f: _timestamp_from_json(f).to_pydatetime()),
    dt.date: (dt.date.isoformat, dt.date.fromisoformat),
    dt.time: (dt.time.isoformat, dt.time.fromisoformat),
    dt.timedelta: (lambda v: [v.days, v.seconds, v.microseconds],
                   lambda f: dt.timedelta(*f)),
    Decimal: (str, Decimal),
    bytes: (bytes.hex, bytes.fromhex),
    tuple: (lambda v: [to_json(part) for part in v],
            lambda f: tuple(from_json(part) for part in f)),
}  # fmt: skip
"""For each type a function to JSON and its inverse.

The first type that a value is an instance of is used, so a subclass must precede its
parent: a `Timestamp` is a `datetime`, and a `datetime` is a `date`."""

_TYPES_BY_NAME = {kind.__name__: kind for kind in _CONVERTERS}


def to_json(value: Any) -> Any:
    """Converts a value to what `json` can write.

    Text, numbers, booleans and None stay as they are; a value of another type becomes
    `{name of the type: content}`.

    Raises:
      TypeError: the type is not supported, or `from_json` would not restore the value
        (such as a date whose time zone has no name).
    """
    if isinstance(value, np.datetime64):
        value = pd.Timestamp(value)
    elif isinstance(value, np.timedelta64):
        value = pd.Timedelta(value)
    elif isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, str | int | float):
        return value
    for kind, (write, _) in _CONVERTERS.items():
        if isinstance(value, kind):
            written = {kind.__name__: write(value)}
            if not _restores(written, value):
                break
            return written
    raise TypeError(
        f"values of type {type(value).__name__}, such as {value!r}, cannot be saved"
    )


def _restores(written: Any, value: Any) -> bool:
    """Whether `from_json(written)` equals `value`, including whether it has a zone."""
    try:
        back = from_json(written)
        naive = [getattr(v, "tzinfo", None) is None for v in (back, value)]
        return bool(back == value) and naive[0] == naive[1]
    except (LookupError, TypeError, ValueError):  # the time zone has no name
        return False


def from_json(value: Any) -> Any:
    """Restores a value from the result of `to_json`."""
    if not isinstance(value, dict):
        return value
    ((name, fields),) = value.items()
    return _CONVERTERS[_TYPES_BY_NAME[name]][1](fields)
