"""The report: one Markdown text from a template, as HTML, DOCX and PDF."""

from __future__ import annotations

import shutil
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.metadata import version
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ccp_analysis import files
from ccp_analysis.errors import StudyError
from ccp_analysis.report import (
    sentences,
    sentences_costs,
    sentences_design,
    sentences_economics,
    sentences_imputation,
)
from ccp_analysis.report.contents import OTHERS, PAIRS, PANELS, figures_of
from ccp_analysis.report.convert import TEMPLATES, Head, to_docx, to_html, to_pdf
from ccp_analysis.report.format import Markdown, escape, listed, number, uncapitalised
from ccp_analysis.report.legends import legend
from ccp_analysis.report.lookup import Source, load
from ccp_analysis.report.numbering import figure_numbers, table_numbers
from ccp_analysis.report.table import Table, to_markdown
from ccp_analysis.report.tables import build
from ccp_analysis.report.tables_missing import lost_sentences, pattern_sentence
from ccp_analysis.report.tables_outcomes import ADJUSTMENTS
from ccp_analysis.report.tables_records import rank
from ccp_analysis.report.tables_sensitivity import tipping
from ccp_analysis.results.terms import Inference, Model, Pooling, Status

FIRST = 15  # queries that are printed; the HTML report lists them all
SOFTWARE = ["numpy", "scipy", "pandas", "formulaic", "matplotlib", "pypandoc_binary", "typst"]
# Of the baseline in an MMRM.
SLOPES = {
    Model.MMRM: "a slope of the baseline at every visit (Mallinckrodt et al. 2008)",
    Model.MMRM_ONE_SLOPE: "one slope of the baseline for all visits",
}
ESTIMANDS = {
    "treatment-policy": "Treatment policy: the difference between the arms whatever was received, "
    "and whether or not it was received as planned.",
}


def run(
    *,
    results: Path,
    flow: Path,
    queries: Path,
    models: Path,
    figures: Path,
    html: Path,
    docx: Path,
    pdf: Path,
    scales: Path | None = None,
    points: Path | None = None,
    prices: Path | None = None,
    intervention: Path | None = None,
) -> None:
    """Write the report in three formats, from one Markdown text.

    Parameters
    ----------
    results : Path
        The results table.
    flow : Path
        The participant flow.
    queries : Path
        The data queries.
    models : Path
        The imputation models.
    figures : Path
        Folder of the figures, as SVG and PNG.
    html, docx, pdf : Path
        The files to write.
    scales : Path, optional
        Reliability, floor and ceiling of the scales.
    points : Path, optional
        Folder with the points of the figures, by which it is known what they show.
    prices, intervention : Path, optional
        Prices of services and items of the intervention.

    Raises
    ------
    StudyError
        If a file is missing or does not fit the study.
    """
    source = load(results, flow, queries, models, scales, points, prices, intervention)
    study = source.study
    head = Head(
        title=study.title,
        subtitle="Statistical report",
        short_title=study.short_title,
        date=study.data_date,
        data_label=study.data_label,
        synthetic=study.data_status == "synthetic",
    )
    text = render(source, head)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "figures").mkdir()
        for figure in figures_of(study, source.economics, source.plan):
            for kind in ("svg", "png"):
                path = figures / f"{figure}.{kind}"
                if not path.is_file():
                    raise StudyError(f"{path}: the file is missing; expected a figure there.")
                shutil.copyfile(path, folder / "figures" / path.name)
        # Side by side: pandoc is a process of its own, and Typst leaves the interpreter free.
        with ThreadPoolExecutor() as pool:
            written = [
                pool.submit(files.write_whole, target, partial(write, text, head, folder))
                for target, write in ((html, to_html), (docx, to_docx), (pdf, to_pdf))
            ]
        for each in written:
            each.result()


def render(source: Source, head: Head) -> str:
    """Return the report as Markdown.

    Parameters
    ----------
    source : Source
        Everything that the report may say.
    head : Head
        Title and date.

    Returns
    -------
    str
        For pandoc; all values are escaped.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=False,  # `finalize` escapes for Markdown, which is stricter than for HTML
        finalize=escape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    parts = _Parts(source)
    plan, economics = source.plan, source.economics
    models = {analysis.model for analysis in plan.analyses}
    fits = {analysis.fit for analysis in plan.analyses}
    clusters = next((row["n_clusters"] for row in source.rows(model=Model.ANCOVA)), None)
    return environment.get_template("report.md.j2").render(
        source=source,
        plan=plan,
        economics=economics,
        models=models,
        Model=Model,
        Pooling=Pooling,
        Inference=Inference,
        slopes=listed([words for fit, words in SLOPES.items() if fit in fits], "or"),
        date=head.written_date,
        randomised=source.study.randomised,
        summary=sentences.summary(source),
        limits=_limits(source),
        estimand=ESTIMANDS.get(plan.estimand, f"{plan.estimand}."),
        **_terms(source),
        n_clusters=number(clusters),
        money=sentences_economics.paragraphs(source),
        software=_software(),
        boundary=any(row["status"] == Status.BOUNDARY for row in source.rows(model=Model.MIXED)),
        first_queries=parts.first_queries(),
        table=parts.table,
        figure=parts.figure,
        ref_table=parts.ref_table,
        ref_figure=parts.ref_figure,
        has_rows=parts.has_rows,
        is_shown=parts.is_shown,
        has_figure=lambda name: name in parts.figures,
        could_be=sentences_design.could_be(source),
        assumptions=sentences_design.assumptions(source),
        paradox=sentences_design.paradox(source),
        checked=sentences_design.checked(source),
        panels=parts.figures_named(PANELS),
        pairs=parts.figures_named(PAIRS),
        others=parts.figures_named(OTHERS),
        families=_families(source),
        tips=tipping(source),
        patterns=pattern_sentence(source),
        enough=sentences_imputation.enough(source),
        lost=lost_sentences(source),
    )


class _Parts:
    """Tables and figures with their numbers, as Markdown."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.tables = build(source)
        self.table_numbers = table_numbers(source, self.tables)
        self.figures = figure_numbers(source)

    def is_shown(self, name: str) -> bool:
        """Return whether documents have such a table."""
        return name in self.table_numbers

    def has_rows(self, name: str) -> bool:
        """Return whether there is such a table with something in it."""
        return name in self.tables and bool(self.tables[name].rows)

    def table(self, name: str) -> Markdown:
        """Return a table with its notes; nothing where it has no rows."""
        return self._set(self.tables[name]) if self.is_shown(name) else Markdown("")

    def first_queries(self) -> Markdown:
        """Return the data queries that are printed, the most serious first."""
        if not self.is_shown("queries"):
            return Markdown("")
        whole = self.tables["queries"]
        if len(whole.rows) <= FIRST:
            return self._set(whole)
        severity = whole.header.index("Severity")
        ranked = sorted(whole.rows, key=lambda row: rank(row[severity]))
        fields = {**vars(whole), "rows": ranked[:FIRST]}
        fields["caption"] = "Data queries, the most serious first; queries.csv lists them all"
        return self._set(Table(**fields))

    def _set(self, table: Table) -> Markdown:
        return to_markdown(table, f"Table {self.table_numbers[table.name]}")

    def figure(self, name: str) -> Markdown:
        """Return a figure with caption and alternative text; nothing where there is none."""
        if name not in self.figures:
            return Markdown("")
        caption, alternative = legend(self.source, name)
        label = f"**Figure {self.figures[name]}.** {escape(caption)}"
        quoted = alternative.replace("\\", "/").replace('"', "'")
        return Markdown(f'![{label}](figures/{name}){{#fig-{name} alt="{quoted}" width=100%}}')

    def figures_named(self, start: str) -> list[str]:
        """Return the figures whose names begin so."""
        return [name for name in self.figures if name.startswith(start)]

    def ref_table(self, name: str) -> Markdown:
        """Return a link to a table by its number."""
        return Markdown(f"[Table {self.table_numbers[name]}](#tbl-{name})")

    def ref_figure(self, name: str) -> Markdown:
        """Return a link to a figure by its number."""
        return Markdown(f"[Figure {self.figures[name]}](#fig-{name})")


def _terms(source: Source) -> dict[str, str]:
    """Return on what the models regress the outcome."""
    shared = ["the arm", "the outcome at baseline"]
    covariates = [_inside(source.name(name)) for name in source.plan.covariates]
    pair = [f"the {source.study.clusters.pair_label}"] if source.study.clusters else []
    return {
        "ancova_terms": listed([*shared, *covariates, *pair]),
        "repeated_terms": listed([*shared, "the months since baseline", *covariates]),
    }


def _families(source: Source) -> list[str]:
    """Return by which methods p-values are adjusted, in words."""
    return list(dict.fromkeys(ADJUSTMENTS[family.method] for family in source.plan.families))


def _inside(label: str) -> str:
    """Return a label as it stands inside a sentence, unless it has capitals of its own."""
    return uncapitalised(label) if label[1:] == label[1:].lower() else label


def _limits(source: Source) -> list[str]:
    """Return what the configuration and the flow say about how far the results reach."""
    study, limits = source.study, []
    if study.data_status == "synthetic":
        limits.append("The data are synthetic. They show that the analysis runs, and nothing else.")
    if not study.randomised:
        limits.append(
            "The arms were not allocated at random. Adjustment can only take account of what was "
            "measured, and a difference may have causes other than the intervention."
        )
    if study.clusters:
        unit = study.clusters.unit_label
        limits.append(
            f"The arm is a property of the {unit}, and there are few {unit}s: estimates rest on "
            "few degrees of freedom, and intervals are wide."
        )
    if any(entry["expected"] != entry["found"] for entry in source.flow["expected"]):
        limits.append("The numbers of participants are not all as expected; see the notes there.")
    if any(stage.get("missing") for stage in source.flow["stages"]):
        limits.append(
            "Follow-up is incomplete. The imputation holds if, given what was observed, values are "
            "missing at random, which the data cannot show."
        )
    if len(source.plan.outcomes) > 1 and not sentences.multiplicity(source):
        limits.append("Several outcomes are reported without adjustment for their number.")
    limits += sentences_costs.limits(source)
    return limits


def _software() -> str:
    python = f"Python {sys.version_info.major}.{sys.version_info.minor}"
    return listed([python, *(f"{name} {version(name)}" for name in SOFTWARE)])
