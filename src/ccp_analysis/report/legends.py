"""Captions of the figures, and in words what they show for those who cannot see them."""

from __future__ import annotations

from ccp_analysis.report import legends_economics
from ccp_analysis.report.contents import OTHERS, PAIRS, PANELS, check_of
from ccp_analysis.report.format import listed
from ccp_analysis.report.lookup import Source
from ccp_analysis.report.plots_checks import others
from ccp_analysis.report.plots_missing import sharing
from ccp_analysis.report.sentences import summary
from ccp_analysis.report.tables_checks import model_name
from ccp_analysis.report.tables_missing import pattern_sentence
from ccp_analysis.report.tables_outcomes import contrast, level_of

ECONOMIC = ("plane", "acceptability", "tornado")


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
    if name.startswith((PANELS, PAIRS, OTHERS)):
        return _of_checks(source, name)
    if name in ECONOMIC:
        return legends_economics.legend(source, name)
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
        "visits": f"{primary}: adjusted means at every visit with {level} confidence intervals, by "
        "arm.",
        "subgroups": f"Planned subgroups: differences ({contrast(source)}) within them, and "
        f"interactions (hollow), with {level} confidence intervals.",
        "missing": "Missing values among participants with a baseline interview, by arm. Variables "
        "without any are left out.",
        "patterns": "Which values are missing together (dark), among participants with a baseline "
        "interview: a line for each pattern, the most frequent first, with the number of "
        "participants; bars as long as that number." + sharing(source),
        "predictors": "Predictors (columns, dark) in the imputation model of each variable (a line "
        "each).",
        "imputation": f"{primary}: means of the imputed values by iteration, up to ten chains of "
        "the imputation (left), and observed values beside imputed ones (right).",
        "tipping": f"Differences ({contrast(source)}) when deltas are added to imputed values in "
        f"either arm: lines join deltas of the same difference; shaded, the {level} interval "
        "excludes zero.",
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
        "visits": "Line charts of adjusted means over the visits, one for each analysis; the table "
        "of adjusted means has the numbers.",
        "subgroups": "Forest plot with one line for each subgroup and interaction; the table of "
        "subgroups has the numbers.",
        "missing": "Bar chart of missing values for each variable; the table of missing values "
        "has the numbers.",
        "patterns": "Grid of patterns of missing values, a line for each pattern and a column for "
        "each variable. " + pattern_sentence(source),
        "predictors": "Grid with a line for each imputed variable and a column for each that "
        "predicts any; the table of imputation models has the number of predictors of each.",
        "imputation": "Line chart of the chains and histogram of observed and imputed values, for "
        "each follow-up; the table of imputation models has R-hat, by which chains are compared.",
        "tipping": "Contour map of the difference over the deltas in the two arms; the table of "
        "deltas has the numbers along the plan's directions, and the text has the tipping points.",
    }
    return captions[name], see[name]


def _of_checks(source: Source, name: str) -> tuple[str, str]:
    kind, analysis, page = check_of(name)
    model = model_name(source, analysis)
    primary = ", ".join(source.name(outcome.id) for outcome in source.primary)
    if kind == PAIRS:
        pair = source.study.clusters.pair_label
        return (
            f"{primary}: difference ({contrast(source)}) by the {model} with everyone observed, "
            f"and without each {pair} in turn, with {level_of(source)} confidence intervals.",
            f"Forest plot with one line for each {pair} left out; the table of what was left out "
            "has the numbers.",
        )
    marks = (
        "hollow, the reference arm; lines, smooth courses (dashed in the reference arm), beside "
        "normal quantiles where points should lie; dotted, 4/n"
    )
    if kind == PANELS:
        return (
            f"{primary}: checks of the {model}, complete cases ({marks}).",
            f"Small charts of residuals, of the course on the baseline and of influence for "
            f"{primary}; the table of checks says in words what was found.",
        )
    names = listed([source.name(outcome.id) for outcome in others(source, page)])
    return (
        f"Checks of the {model} of the other outcomes, complete cases ({marks}).",
        f"A line of small charts of residuals, of the course on the baseline and of influence for "
        f"each of {names}; the table of checks says in words what was found.",
    )
