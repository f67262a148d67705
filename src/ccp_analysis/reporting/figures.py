"""Figures: an SVG and a PNG file for each figure of the report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from ccp_analysis import files
from ccp_analysis.reporting import flow_diagram, plots
from ccp_analysis.reporting.contents import figures_of
from ccp_analysis.reporting.lookup import Source, load

DRAWERS: dict[str, Callable[[Source], Figure]] = {
    "flow": flow_diagram.flow,
    "course": plots.course,
    "forest": plots.standardised,
    "methods": plots.methods,
    "pair_differences": plots.pair_differences,
    "missing": plots.missing,
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
DOTS = 200  # of a PNG, per inch


def run(*, results: Path, flow: Path, out: Path) -> None:
    """Draw every figure of the report, as SVG and as PNG.

    Parameters
    ----------
    results : Path
        The results table.
    flow : Path
        The participant flow.
    out : Path
        Folder for two files of each figure.

    Raises
    ------
    StudyError
        If a file is missing or does not fit the study.
    """
    source = load(results, flow)
    with matplotlib.rc_context():
        # What a user has set up for matplotlib must not change a byte.
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        for name in figures_of(source.study, source.economics):
            figure = DRAWERS[name](source)
            if source.study.data_status == "synthetic":
                plots.stamp(figure, source.study.data_label)
            _save(figure, out, name)


def _save(figure: Figure, out: Path, name: str) -> None:
    files.write_whole(
        out / f"{name}.svg",
        lambda path: figure.savefig(path, metadata={"Date": None, "Creator": None}),
    )
    files.write_whole(
        out / f"{name}.png",
        lambda path: figure.savefig(path, dpi=DOTS, metadata={"Software": None}),
    )
