"""params.yaml into frozen dataclasses that refuse unknown keys, wrong types, impossible values.

A group's dataclass lives beside the code that uses it and has no defaults: params.yaml is the
only place with values. Limits are written in the annotation: `lr: Annotated[float, Range(gt=0)]`.
"""

import math
import reprlib
import types
from collections.abc import Iterable
from dataclasses import dataclass, fields, is_dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from melodygan.pipeline.errors import UserError

T = TypeVar("T")
_BRIEF = reprlib.Repr()
_BRIEF.maxlevel, _BRIEF.maxstring = 2, 100


@dataclass(frozen=True)
class Range:
    """Limits of a number (or of every item of a list): `gt`/`lt` exclusive, `ge`/`le` inclusive."""

    gt: float | None = None
    ge: float | None = None
    lt: float | None = None
    le: float | None = None

    def complaint(self, value: float) -> str | None:
        """What is wrong with `value`, or None."""
        tests = [
            (self.gt, "greater than", lambda limit: value > limit),
            (self.ge, "at least", lambda limit: value >= limit),
            (self.lt, "less than", lambda limit: value < limit),
            (self.le, "at most", lambda limit: value <= limit),
        ]
        for limit, words, holds in tests:
            if limit is not None and not holds(limit):
                return f"must be {words} {limit:g}, not {brief(value)}"
        return None


def read_params(path: Path = Path("params.yaml")) -> dict[str, Any]:
    """The whole parameter file as plain Python values.

    ruamel reads YAML 1.2, in which `1e-05` (what `dvc exp run -S` writes) is a number.
    """
    try:
        value = YAML(typ="safe").load(path)
    except FileNotFoundError:
        raise UserError(f"{path} not found: run this in the repository's root folder") from None
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}: it must be a file that you may read") from None
    except RecursionError:
        raise UserError(f"{path} is nested too deeply") from None
    except (YAMLError, ValueError) as error:  # ValueError: a date or number that cannot be
        where = str(error).replace("\n", " ")
        raise UserError(f"{path} is not valid YAML: {where}") from None
    if not isinstance(value, dict):
        raise UserError(f"{path}: expected groups of parameters, found {type(value).__name__}")
    return value


def brief(value: Any) -> str:
    """A value for a message: not whole where it is long, since YAML's aliases multiply."""
    return _BRIEF.repr(value)


def load(cls: type[T], group: str, path: Path = Path("params.yaml")) -> T:
    """The group `group` of the parameter file as an instance of dataclass `cls`.

    Raises UserError with the key's full path for the first unknown or missing key, wrong type,
    or value out of range.
    """
    params = read_params(path)
    if group not in params:
        raise UserError(f"{path}: the group `{group}` is missing{_hint(group, params)}")
    return parse(cls, params[group], group, str(path))


def load_seed(path: Path = Path("params.yaml")) -> int:
    """The project-wide random seed."""
    params = read_params(path)
    seed = params.get("seed")
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise UserError(
            f"{path}: seed must be a whole number from 0 to 2**32 - 1, not {brief(seed)}"
        )
    return seed


def parse(cls: type[T], value: Any, key: str, file: str = "params.yaml") -> T:
    """Check a mapping against dataclass `cls` and build it; `key` is its path for messages."""
    if not isinstance(value, dict):
        raise UserError(f"{file}: {key} must be a group of keys, not {brief(value)}")
    hints = get_type_hints(cls, include_extras=True)
    names = [field.name for field in fields(cls)]  # type: ignore[arg-type]
    for name in value:
        if name not in names:
            raise UserError(f"{file}: unknown key {key}.{_shown(name)}{_hint(str(name), names)}")
    for name in names:
        if name not in value:
            raise UserError(f"{file}: {key}.{name} is missing")
    checked = {name: _check(hints[name], value[name], f"{key}.{name}", file, ()) for name in names}
    try:
        return cls(**checked)
    except ValueError as error:  # raised by __post_init__ for conditions between keys
        raise UserError(f"{file}: {key}: {error}") from None


def _check(hint: Any, value: Any, key: str, file: str, limits: tuple[Any, ...]) -> Any:
    origin = get_origin(hint)
    if origin is Annotated:
        inner, *extra = get_args(hint)
        return _check(inner, value, key, file, (*limits, *extra))
    if origin in (Union, types.UnionType):
        if value is None:
            return None
        (inner,) = [arm for arm in get_args(hint) if arm is not type(None)]
        return _check(inner, value, key, file, limits)
    if origin is Literal:
        if value not in get_args(hint):
            choices = " | ".join(map(str, get_args(hint)))
            raise UserError(f"{file}: {key} must be {choices}, not {brief(value)}")
        return value
    if origin is list:
        if not isinstance(value, list):
            raise UserError(f"{file}: {key} must be a list, not {brief(value)}")
        (inner,) = get_args(hint)
        return [_check(inner, v, f"{key}[{i}]", file, limits) for i, v in enumerate(value)]
    if is_dataclass(hint):
        return parse(hint, value, key, file)  # type: ignore[arg-type]
    return _check_scalar(hint, value, key, file, limits)


def _check_scalar(hint: type, value: Any, key: str, file: str, limits: tuple[Any, ...]) -> Any:
    words = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
    right_type = isinstance(value, hint) or (hint is float and isinstance(value, int))
    if not right_type or (isinstance(value, bool) and hint is not bool):
        raise UserError(f"{file}: {key} must be {words[hint]}, not {brief(value)}")
    if hint is float:
        value = _as_float(value)
        if not math.isfinite(value):
            raise UserError(f"{file}: {key} must be finite, not {brief(value)}")
    for limit in limits:
        complaint = limit.complaint(value)
        if complaint:
            raise UserError(f"{file}: {key} {complaint}")
    return value


def _as_float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:  # a whole number beyond the largest float
        return math.inf if value > 0 else -math.inf


def _hint(name: str, known: Iterable[Any]) -> str:
    names = [_shown(key) for key in known]
    close = get_close_matches(name, names, n=1)
    return f" (did you mean `{close[0]}`?)" if close else f" (known: {', '.join(names)})"


def _shown(name: Any) -> str:
    """A key as one line of a message: YAML allows line breaks and numbers in keys."""
    return str(name) if str(name).isprintable() else repr(name)
