"""Forms built from the workflows' own signatures, so that the two never part ways."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias, get_args, get_type_hints

from magicgui.widgets import Container, create_widget
from qtpy.QtCore import QEvent, QObject
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import QDoubleSpinBox

Form: TypeAlias = Any
"""A magicgui container; its values are read by :func:`values_of`."""


def form_of(
    function: Callable[..., Any],
    fields: Sequence[str],
    *,
    choices: Mapping[str, Sequence[Any]] | None = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
) -> Form:
    """Build a form for some parameters of a workflow.

    Parameters
    ----------
    function : callable
        A workflow; types and defaults come from its signature.
    fields : sequence of str
        Parameters to ask for, in order.
    choices : mapping of field to values
        Fields that are chosen from a list.
    options : mapping of field to magicgui options
        Bounds, labels, tooltips.
    """
    known = inspect.signature(function).parameters
    hints = get_type_hints(function)
    widgets = []
    for name in fields:
        extra = dict((options or {}).get(name, {}))
        if choices and name in choices:
            extra["choices"] = list(choices[name])
        given = known[name].default
        start = {} if given is inspect.Parameter.empty else {"value": given}
        label = extra.pop("label", name.replace("_", " ").capitalize())
        kind = str if "choices" in extra else _plain(hints.get(name, str))
        widgets.append(
            create_widget(
                annotation=kind, name=name, label=label, options=extra, **start
            )
        )
    return Container(widgets=widgets, labels=True)


def _plain(hint: Any) -> Any:
    """Return the type to ask for: of several, a path before anything else."""
    several = get_args(hint)
    if not several:
        return hint
    return Path if Path in several else several[0]


class _PointForComma(QObject):
    """Types the decimal point of the number box where point or comma is pressed."""

    def eventFilter(self, box: QObject, event: QEvent) -> bool:
        """Put the right sign in, and let all other keys through."""
        if not isinstance(event, QKeyEvent) or event.type() != QEvent.Type.KeyPress:
            return False
        point = box.locale().decimalPoint()
        if event.text() not in (",", ".") or event.text() == point:
            return False
        box.lineEdit().insert(point)
        return True


def take_comma(box: QDoubleSpinBox) -> None:
    """Let a number box take a comma for a point, and a point for a comma.

    By default it swallows the one that its language does not use, without a word.
    """
    box.installEventFilter(_PointForComma(box))


def values_of(form: Form) -> dict[str, Any]:
    """Return the values of a form by parameter."""
    return {widget.name: widget.value for widget in form if widget.name}
