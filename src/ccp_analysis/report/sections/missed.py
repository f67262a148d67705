"""What if the costs and utilities of missed interviews are not as imputed, both at once."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from ccp_analysis.config.economics import Axis, Departures
from ccp_analysis.report.canvas import Figure
from ccp_analysis.report.cells import contrast, level_of
from ccp_analysis.report.drawing import ABOVE, ACTIVE, BELOW, MUTED, WIDTH
from ccp_analysis.report.maps import draw_map
from ccp_analysis.report.money import NET_BENEFIT, per_qaly, pounds
from ccp_analysis.report.section import Configured, FigureItem, Item, Section
from ccp_analysis.report.sections.departures import STRATEGIES, plain
from ccp_analysis.report.source import Row, Source
from ccp_analysis.report.words import interval, known, listed
from ccp_analysis.results.terms import Inference, Term

GRID, REFERENCE_BASED = "economics_departures", "economics_reference_based"


def _asked(source: Source) -> Departures:
    asked = source.evaluation.departures
    if asked is None:
        raise ValueError("asked of an evaluation without departures")
    return asked


def _rows(source: Source, threshold: float, term: str) -> dict[float, list[Row]]:
    """Return the rows at a threshold by the change of costs."""
    asked = _asked(source).cost
    rows = source.rows(analysis=GRID, outcome=NET_BENEFIT, term=term, threshold=threshold)
    rows = [row for row in rows if known(row["estimate"])]
    at = {f"{value:g}": value for value in asked.values}
    found: dict[float, list[Row]] = {}
    for row in rows:
        found.setdefault(at[row["perspective"].rpartition(" ")[2]], []).append(row)
    return found


def grid(source: Source, threshold: float) -> pd.DataFrame:
    """Return the net benefit at a threshold over the changes, as a map shows it."""
    found = _rows(source, threshold, Term.DIFFERENCE)
    columns = ("estimate", "conf_low", "conf_high")
    return pd.DataFrame(
        {"delta_reference": cost, "delta_active": row["delta"], **{c: row[c] for c in columns}}
        for cost, rows in found.items()
        for row in rows
    )


def maps_of(source: Source) -> list[float]:
    """Return the main thresholds that have a whole map."""
    asked = _asked(source)
    wanted = len(asked.cost.values) * len(asked.utility.values)
    return [t for t in source.evaluation.main_thresholds if len(grid(source, t)) == wanted]


def draw_departures(source: Source) -> Figure:
    """Draw the net benefit over changes of costs and utilities, and where it is zero."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    asked, thresholds = _asked(source), maps_of(source)
    height = 3.7
    figure = Figure(figsize=(WIDTH, height))
    panels = figure.subplots(1, max(2, len(thresholds)), squeeze=False, sharey=True).ravel()
    for axes in panels[len(thresholds) :]:
        axes.axis("off")
    neutral = (asked.cost.neutral, asked.utility.neutral)
    for axes, threshold in zip(panels, thresholds, strict=False):
        points = grid(source, threshold)
        draw_map(axes, points, neutral, "as imputed")
        z = points.pivot_table(index="delta_active", columns="delta_reference", values="estimate")
        if z.to_numpy().min() < 0 < z.to_numpy().max():
            axes.contour(
                z.columns, z.index, z, levels=[0], colors=[ACTIVE], linewidths=2.2, zorder=3
            )
        axes.set_xlabel(_label(source, "Costs", asked.cost, source.evaluation.money.symbol))
        axes.set_title(per_qaly(source, threshold), fontsize=8, fontweight="bold", loc="left")
    panels[0].set_ylabel(_label(source, "Utilities", asked.utility, ""))
    figure.legend(
        handles=[
            Line2D([], [], color=ACTIVE, linewidth=2.2, label="net benefit is zero"),
            Patch(facecolor=ABOVE, edgecolor=MUTED, label="interval above zero"),
            Patch(facecolor="white", edgecolor=MUTED, label="interval includes zero"),
            Patch(facecolor=BELOW, edgecolor=MUTED, label="interval below zero"),
        ],
        loc="lower center",
        bbox_to_anchor=(0.5, 0.17 / height),
        ncols=4,
        fontsize=7,
        frameon=False,
    )
    figure.subplots_adjust(left=0.085, right=0.985, top=0.92, bottom=0.98 / height, wspace=0.08)
    return figure


def _label(source: Source, what: str, axis: Axis, unit: str) -> str:
    """Return what stands at an axis."""
    change = "added" if axis.times is None else "multiplied by"
    return f"{what} of missed interviews, {change}{f' ({unit})' * bool(unit and not axis.times)}"


def _legend(source: Source) -> tuple[str, str]:
    arms = listed([source.arm(arm) for arm in _arms(source)])
    return (
        f"Net benefit ({contrast(source)}) if costs and utilities of missed interviews with {arms} "
        "are not as imputed: thin lines join changes of the same net benefit, the thick one those "
        f"at which it is zero; shaded, the {level_of(source)} interval excludes zero. Values are "
        "not clipped.",
        "Contour map of the net benefit over changes of costs and utilities, one for each main "
        "threshold; the text has the changes at which it is zero.",
    )


def _arms(source: Source) -> list[str]:
    return _asked(source).arms or [source.study.arms.active]


def tipping(source: Source) -> str:
    """Say at which changes the net benefit is zero, and what jump to reference makes of it."""
    asked = _asked(source)
    said = []
    for threshold in source.evaluation.main_thresholds:
        tips = {cost: row for cost, [row] in _rows(source, threshold, Term.TIPPING_POINT).items()}
        parts = [
            f"{_changed(asked.utility, row['estimate'])} with costs {_cost(source, cost)}"
            for cost, row in tips.items()
            if cost in (asked.cost.neutral, min(tips), max(tips))
        ]
        if parts:
            said.append(f"at {per_qaly(source, threshold)} by {listed(parts)}")
    arms = listed([source.arm(arm) for arm in _arms(source)])
    text = ""
    if said:
        how = "differ from what was imputed" if asked.utility.times is None else "be multiplied"
        text = (
            f"For the net benefit to be zero, utilities of missed interviews with {arms} would "
            f"have to {how}: {'; '.join(said)}. A utility is at most 1 and seldom below 0."
        )
    return " ".join(filter(None, [text, _strategies(source)]))


def _changed(axis: Axis, value: float) -> str:
    sign = "+" * (axis.times is None and value > 0)
    return f"{sign}{plain(round(value, 2))}"


def _cost(source: Source, value: float) -> str:
    axis = _asked(source).cost
    if value == axis.neutral:
        return "as imputed"
    if axis.times is not None:
        return f"times {plain(value)}"
    return f"{pounds(source, abs(value))} {'higher' if value > 0 else 'lower'}"


def _strategies(source: Source) -> str:
    """Set the net benefit by each strategy beside that missing at random."""
    [threshold, *_] = source.evaluation.main_thresholds
    shared = {"analysis": REFERENCE_BASED, "threshold": threshold, "term": Term.DIFFERENCE}
    rows = source.rows(**shared, inference=Inference.JACKKNIFE)
    rows = [row for row in rows if known(row["estimate"])]
    parts = []
    for row in sorted(rows, key=lambda row: not row["perspective"].startswith("MAR")):
        names = [STRATEGIES[code] for code in row["perspective"].split(" = ")]
        limits = interval(row["conf_low"], row["conf_high"], 0)
        parts.append(f"{pounds(source, row['estimate'])} ({limits}) if {' or '.join(names)}")
    if len(parts) < 2:
        return ""
    return (
        f"By a normal model, with the jackknife's intervals, it is {listed(parts)} "
        f"({per_qaly(source, threshold)})."
    )


def _items(of: Configured) -> Iterator[Item]:
    if of.economics and of.economics.departures:
        yield FigureItem("departures", draw_departures, _legend, lambda s: bool(maps_of(s)))


def _there(of: Configured) -> bool:
    return of.economics is not None and of.economics.departures is not None


SECTION = Section("missed", said=lambda source: {"tips": tipping(source)}, there=_there)
DETAILS = Section("missed_details", _items, there=_there, title="Missed interviews")
