"""Figures: an SVG and a PNG file for each figure of the report."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from ccp_analysis import files
from ccp_analysis.errors import StudyError
from ccp_analysis.report import (
    flow_diagram,
    plots,
    plots_checks,
    plots_economics,
    plots_imputation,
    plots_missing,
    plots_models,
)
from ccp_analysis.report.contents import OTHERS, PAIRS, PANELS, check_of, figures_of
from ccp_analysis.report.lookup import Source, load

DRAWERS: dict[str, Callable[[Source], Figure]] = {
    "flow": flow_diagram.flow,
    "course": plots.course,
    "forest": plots.standardised,
    "methods": plots.methods,
    "pair_differences": plots.pair_differences,
    "visits": plots_models.visits,
    "subgroups": plots_models.subgroups,
    "missing": plots.missing,
    "patterns": plots_missing.patterns,
    "predictors": plots_missing.predictors,
    "imputation": plots_imputation.imputation,
    "tipping": plots_imputation.tipping,
    "acceptability": plots_economics.acceptability,
    "plane": plots_economics.plane,
    "tornado": plots_economics.tornado,
}
STYLE = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so every machine has the same
    "font.size": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "axes.unicode_minus": True,
    "text.parse_math": False,  # a dollar in a label is a dollar
    "svg.fonttype": "path",
    "svg.hashsalt": "ccp-analysis",
}
DOTS = 200  # per inch, of a PNG and of what is rasterised in an SVG


def run(
    *,
    results: Path,
    flow: Path,
    models: Path,
    out: Path,
    points: Path | None = None,
    processes: int = 1,
) -> None:
    """Draw every figure of the report, as SVG and as PNG.

    Parameters
    ----------
    results : Path
        The results table.
    flow : Path
        The participant flow.
    models : Path
        The imputation models.
    out : Path
        Folder for two files of each figure.
    points : Path, optional
        Folder with the points of the figures; expected where checks have results.
    processes : int, optional
        How many share the work; no file depends on it.

    Raises
    ------
    StudyError
        If a file is missing or does not fit the study.
    """
    read = partial(load, results, flow, models=models, points=points)
    if processes == 1:
        _draw_share(read, out, 1, 0)
        return
    # Each reads for itself: a process that has read nothing yet has no threads, and forks safely.
    with ProcessPoolExecutor(processes) as pool:
        list(pool.map(partial(_draw_share, read, out, processes), range(processes)))


def _draw_share(read: Callable[[], Source], out: Path, shares: int, share: int) -> None:
    source = read()
    names = figures_of(source.study, source.economics, source.plan)
    if source.points is None and any(
        name.startswith((PANELS, OTHERS)) and is_drawn(source, name) for name in names
    ):
        raise StudyError("--points: there are checks; expected the folder of their points.")
    with matplotlib.rc_context():
        # What a user has set up for matplotlib must not change a byte.
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        for name in names[share::shares]:
            figure = draw(source, name) if is_drawn(source, name) else _nothing()
            if source.study.data_status == "synthetic":
                plots.stamp(figure, source.study.data_label)
            _save(figure, out, name)


def draw(source: Source, name: str) -> Figure:
    """Return a figure by its name.

    Parameters
    ----------
    source : Source
        With the points of the checks for their figures.
    name : str
        One of `contents.figures_of`.

    Returns
    -------
    matplotlib.figure.Figure
    """
    if name in DRAWERS:
        return DRAWERS[name](source)
    kind, analysis, page = check_of(name)
    if kind == OTHERS:
        return plots_checks.small(source, analysis, page)
    drawer = plots_checks.panels if kind == PANELS else plots_checks.pairs
    return drawer(source, analysis)


def is_drawn(source: Source, name: str) -> bool:
    """Return whether there is anything to draw of a figure that hangs on what was found."""
    if name in ("forest", "methods", "pair_differences"):
        return plots.has_marks(source, name)
    if name == "visits":
        return plots_models.has_visits(source)
    if name == "subgroups":
        return plots_models.has_subgroups(source)
    if name == "patterns":
        return plots_missing.has_patterns(source)
    if name == "predictors":
        return plots_missing.has_predictors(source)
    if name == "imputation":
        return bool(plots_imputation.imputed_outcomes(source))
    if name == "tipping":
        return bool(plots_imputation.maps_of(source))
    if name == "plane":
        return plots_economics.has_plane(source)
    if name == "acceptability":
        return bool(plots_economics.curves(source))
    if name == "tornado":
        return len(plots_economics.tornado_marks(source)) > 1
    if name in DRAWERS:
        return True
    kind, analysis, page = check_of(name)
    if kind == PAIRS:
        return plots_checks.has_pairs(source, analysis)
    outcomes = source.primary if kind == PANELS else plots_checks.others(source, page)
    return plots_checks.has_panels(source, analysis, outcomes)


def _nothing() -> Figure:
    figure = Figure(figsize=(plots.WIDTH, 1))
    figure.text(0.5, 0.5, "no results to draw", ha="center", va="center")
    return figure


def _save(figure: Figure, out: Path, name: str) -> None:
    files.write_whole(
        out / f"{name}.svg",
        lambda path: figure.savefig(path, dpi=DOTS, metadata={"Date": None, "Creator": None}),
    )
    files.write_whole(
        out / f"{name}.png",
        lambda path: figure.savefig(path, dpi=DOTS, metadata={"Software": None}),
    )
