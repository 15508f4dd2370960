"""Cells and names in JSON and back, with their type: no pickle, no lost date."""

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd


def _stamp(fields: list[Any]) -> Any:
    text, zone, unit = fields
    stamp: Any = pd.Timestamp(text)
    return (stamp if zone is None else stamp.tz_convert(zone)).as_unit(unit)


def _of_stamp(value: Any) -> list[Any]:
    return [value.isoformat(), None if value.tz is None else str(value.tz), value.unit]


_TYPES: dict[type, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    pd.Timestamp: (_of_stamp, _stamp),
    pd.Timedelta: (lambda v: [str(v.asm8.astype(np.int64)), v.unit],
                   lambda f: pd.Timedelta(int(f[0]), f[1]).as_unit(f[1])),
    pd.Period: (lambda v: [str(v.ordinal), v.freqstr],
                lambda f: pd.Period(ordinal=int(f[0]), freq=f[1])),
    pd.Interval: (lambda v: [to_json(v.left), to_json(v.right), v.closed],
                  lambda f: pd.Interval(from_json(f[0]), from_json(f[1]), f[2])),
    dt.datetime: (lambda v: _of_stamp(pd.Timestamp(v)),
                  lambda f: _stamp(f).to_pydatetime()),
    dt.date: (dt.date.isoformat, dt.date.fromisoformat),
    dt.time: (dt.time.isoformat, dt.time.fromisoformat),
    dt.timedelta: (lambda v: [v.days, v.seconds, v.microseconds],
                   lambda f: dt.timedelta(*f)),
    Decimal: (str, Decimal),
    bytes: (bytes.hex, bytes.fromhex),
    tuple: (lambda v: [to_json(part) for part in v],
            lambda f: tuple(from_json(part) for part in f)),
}  # fmt: skip
"""To JSON and back; of a class and its parent (a `Timestamp` is a `datetime`, which is
a `date`) the class comes first."""

_NAMES = {kind.__name__: kind for kind in _TYPES}


def to_json(value: Any) -> Any:
    """Text, numbers, bools and None as they are; others as `{their type: ...}`.

    Raises:
      TypeError: a value of another type.
    """
    if isinstance(value, np.datetime64):
        value = pd.Timestamp(value)
    elif isinstance(value, np.timedelta64):
        value = pd.Timedelta(value)
    elif isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, str | int | float):
        return value
    for kind, (written, _) in _TYPES.items():
        if isinstance(value, kind):
            told = {kind.__name__: written(value)}
            if not _same(told, value):
                break
            return told
    raise TypeError(
        f"values of type {type(value).__name__}, such as {value!r}, cannot be saved"
    )


def _same(told: Any, value: Any) -> bool:
    """Whether `from_json` can read it and gives the value back."""
    try:
        back = from_json(told)
        zones = [getattr(v, "tzinfo", None) is None for v in (back, value)]
        return bool(back == value) and zones[0] == zones[1]
    except (LookupError, TypeError, ValueError):  # of a zone without a name
        return False


def from_json(value: Any) -> Any:
    """The inverse of `to_json`."""
    if not isinstance(value, dict):
        return value
    ((name, fields),) = value.items()
    return _TYPES[_NAMES[name]][1](fields)
