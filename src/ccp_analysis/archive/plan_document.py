"""The statistical analysis plan as a document, from the configuration alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from ccp_analysis.config.locked import compared
from ccp_analysis.config.trial import Trial
from ccp_analysis.layout import PLANNED
from ccp_analysis.report.documents import write_documents
from ccp_analysis.report.head import Head, head_of
from ccp_analysis.report.marks import numbered
from ccp_analysis.report.sections.plan_items import ITEMS, PARTS, open_items
from ccp_analysis.report.sections.plan_locks import status
from ccp_analysis.report.source import Source
from ccp_analysis.report.stage import Report
from ccp_analysis.results.terms import Inference, Model


class PlanDocument(Report):
    """The plan, by the templates of the report: nothing in it is read from data."""

    frame = "plan.md.j2"
    files = False

    def __init__(self, source: Source) -> None:
        super().__init__(source, parts=PARTS)

    def _shared(self) -> dict[str, Any]:
        plan, shared = self.source.plan, super()._shared()
        # What the methods say of tables that the report has, and a plan foresees.
        foreseen = {
            "subgroups": bool(plan.subgroups),
            "checks": bool(plan.checks),
            "net_benefit": self.source.economics is not None,
        }
        has_rows = shared["has_rows"]
        # What every evaluation fits.
        fitted = {Model.SUR, Model.LOG_LINK, Model.TWO_STAGE_BOOTSTRAP, Inference.FIELLER}
        return shared | {
            "has_rows": lambda name: has_rows(name) or foreseen.get(name, False),
            "used": fitted if self.source.economics else set(),
            "paragraphs": self.paragraphs,
            "open": open_items(self.source),
            "n_items": len(ITEMS),
            "locked": status(self.source),
        }


def run(*, html: Path = PLANNED[0], docx: Path = PLANNED[1], pdf: Path = PLANNED[2]) -> None:
    """Write the statistical analysis plan of the study in the current folder as documents.

    Parameters
    ----------
    html, docx, pdf : Path, optional
        The files to write; ``reports/plan.*`` by default.

    Raises
    ------
    StudyError
        If the configuration is not as it must be; `faults` lists all. Raw files need not be there.
    """
    source = source_of(Trial())
    markdown, _ = numbered(PlanDocument(source).text())
    behind: dict[str, Any] = {"places": [], "rows": {}}
    head = head_of_plan(source)
    write_documents(markdown, head, behind, Path(), html=html, docx=docx, pdf=pdf)
    left = open_items(source)
    said = f"; the authors must still say something to {len(left)} of {len(ITEMS)} items" * bool(
        left
    )
    print(f"The plan: {html}, {docx.name}, {pdf.name}{said}.")


def source_of(trial: Trial) -> Source:
    """Return the source of a study of which there are no data yet: its configuration."""
    return Source.of(trial, compared=compared(trial))


def head_of_plan(source: Source) -> Head:
    """Return the head of the plan: its own date, where it has one."""
    head = head_of(source.study)
    date = source.plan.date or head.date
    return replace(head, subtitle="Statistical analysis plan", date=date)
