"""Of matplotlib what figures are drawn on, imported by the first of them.

It is slow to import, and who only lists the figures of a report, before the first job, draws none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes as Axes
    from matplotlib.figure import Figure as Figure
else:
    Axes = "matplotlib.axes.Axes"

    def Figure(**options):  # noqa: N802 - as what it makes
        """Return an empty figure."""
        from matplotlib import figure

        return figure.Figure(**options)
