"""Captions of the figures, and in words what they show for those who cannot see them."""

from __future__ import annotations

from ccp_analysis.reporting.lookup import Source
from ccp_analysis.reporting.sentences import summary
from ccp_analysis.reporting.tables_outcomes import contrast, level_of


def legend(source: Source, name: str) -> tuple[str, str]:
    """Return the caption and the alternative text of a figure.

    Parameters
    ----------
    source : Source
        For labels and the sentences of the summary.
    name : str
        The figure.

    Returns
    -------
    tuple of str
        Caption, alternative text; plain text.
    """
    level = level_of(source)
    primary = ", ".join(source.name(outcome.id) for outcome in source.primary)
    clusters = source.study.clusters
    pair = clusters.pair_label if clusters else ""
    captions = {
        "flow": "Participant flow. Missing interviews at every follow-up are counted among those "
        "with a baseline interview.",
        "course": f"{primary}: observed means by arm; vertical lines join the quartiles.",
        "forest": f"Standardised differences ({contrast(source)}) with {level} confidence "
        "intervals, primary analysis. The primary outcome is set in bold.",
        "methods": f"{primary}: differences ({contrast(source)}) with {level} confidence intervals "
        "by every analysis. The primary analysis is set in bold.",
        "pair_differences": f"{primary}: difference within each {pair} ({contrast(source)}), and "
        f"their mean with its {level} confidence interval by a paired t test.",
        "missing": "Missing values among participants with a baseline interview, by arm. Variables "
        "without any are left out.",
    }
    see = {
        "flow": "Flow diagram from recruitment to analysis. " + summary(source)[0],
        "course": "Line chart of observed means over the visits; the table of observed outcomes "
        "has the numbers.",
        "forest": "Forest plot with one line for each outcome; every line states its estimate and "
        "interval in words.",
        "methods": "Forest plot with one line for each analysis; the table of analyses has the "
        "numbers.",
        "pair_differences": f"Dot plot with one point for each {pair} and their mean; the table of "
        "differences has the numbers.",
        "missing": "Bar chart of missing values for each variable; the table of missing values "
        "has the numbers.",
    }
    return captions[name], see[name]
