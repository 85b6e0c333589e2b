"""Options of a generator as people give them: of the right kind, or refused."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, TypeVar

from napari_cytosynth.core.errors import InputError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

C = TypeVar("C", bound="DataclassInstance")

_KINDS: tuple[tuple[type, Callable[[Any], bool], str], ...] = (
    # A bool is an int to Python: it comes first, and is no number here.
    (bool, lambda v: isinstance(v, bool), "true or false"),
    (int, lambda v: _is(v, Integral), "a whole number"),
    (float, lambda v: _is(v, Real) and math.isfinite(v), "a finite number"),
    (str, lambda v: isinstance(v, str), "words"),
    (Mapping, lambda v: isinstance(v, Mapping), "a mapping"),
)


def read_options(config: type[C], generator: str, options: Mapping[str, Any]) -> C:
    """Build the configuration of a generator from options by name.

    Parameters
    ----------
    config : type
        A dataclass whose fields all have a default, which tells the kind of each
        option; where it is None, any value is taken.
    generator : str
        Whose options they are, for the message.
    options : mapping of str to value
        As given.

    Raises
    ------
    InputError
        If a name is no option, or a value is of another kind than its option.
    """
    known = {f.name: f for f in fields(config)}
    if strange := sorted(set(options) - set(known)):
        raise InputError(
            f"The {generator} generator has no option {', '.join(map(repr, strange))}. "
            f"Its options are {', '.join(sorted(known))}."
        )
    for name, value in options.items():
        if rule := _broken(_default(known[name]), value):
            raise InputError(
                f"The {generator} generator got {name} {value!r}. It must be {rule}."
            )
    return config(**options)


def _default(option: Field[Any]) -> Any:
    made = option.default_factory
    return option.default if made is MISSING else made()


def _broken(default: Any, value: Any) -> str:
    """Return the rule that a value breaks; empty where it breaks none."""
    for kind, fits, rule in _KINDS:
        if isinstance(default, kind):
            return "" if fits(value) else rule
    return ""


def _is(value: Any, number: type) -> bool:
    return isinstance(value, number) and not isinstance(value, bool)
