"""What a generator lets a person choose, told so that a form can ask for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Choice: TypeAlias = str | int | float | bool
"""The value of a setting."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One option of a generator as a form offers it.

    Parameters
    ----------
    name : str
        The option's name.
    title : str
        What the form calls it, short.
    told : str
        What it does, a sentence.
    value : str, int, float or bool
        Its default; the kind of every other value too.
    choices : mapping of str to str
        Values to choose from, with what each does; empty: any value.
    low, high : float
        Bounds of a number.
    needs : tuple of (str, str), or None
        Another setting, and its value where alone this one does anything.
    is_argument : bool
        True where it is no option: its value is said after the colon of the generator's
        name, as in ``lora:FOLDER``.
    """

    name: str
    title: str
    told: str
    value: Choice
    choices: Mapping[str, str] = field(default_factory=dict)
    low: float = 0.0
    high: float = 1000.0
    needs: tuple[str, str] | None = None
    is_argument: bool = False


def asked_of(
    generator: str, settings: Iterable[Setting], chosen: Mapping[str, Any]
) -> tuple[str, dict[str, Any]]:
    """Return the generator's name and its options, as they were chosen.

    What was left at its default is no option, so that a fill asked for in a form and
    one asked for by a command are the same fill.

    Parameters
    ----------
    generator : str
        Key, without argument.
    settings : iterable of Setting
        What it offers.
    chosen : mapping of str to value
        By a setting's name; those left out stay at their default.
    """
    name, options = generator, {}
    for setting in settings:
        value = chosen.get(setting.name, setting.value)
        if value == setting.value or not _acts(setting, chosen):
            continue
        if setting.is_argument:
            name = f"{generator}:{value}"
        else:
            options[setting.name] = value
    return name, options


def _acts(setting: Setting, chosen: Mapping[str, Any]) -> bool:
    """Tell whether a setting does anything, the others being as chosen."""
    if setting.needs is None:
        return True
    other, value = setting.needs
    return bool(chosen.get(other) == value)
