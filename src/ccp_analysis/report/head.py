"""What stands at the head of a document."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from ccp_analysis.config.study import Study
from ccp_analysis.report.words import written_date


@dataclass(frozen=True)
class Head:
    """What stands at the head of a document.

    Attributes
    ----------
    title, subtitle, short_title : str
        Plain text.
    date : datetime.date
        The study's data date.
    data_label : str
        What kind of data this is.
    synthetic : bool
        Whether every page has to say so.
    """

    title: str
    subtitle: str
    short_title: str
    date: dt.date
    data_label: str
    synthetic: bool

    @property
    def written_date(self) -> str:
        """The date in words."""
        return written_date(self.date)

    @property
    def moment(self) -> dt.datetime:
        """The first moment of the date, which documents bear as their time of creation."""
        return dt.datetime.combine(self.date, dt.time(), dt.UTC)


def head_of(study: Study) -> Head:
    """Return the head of a study's documents."""
    return Head(
        title=study.title,
        subtitle="Statistical report",
        short_title=study.short_title,
        date=study.data_date,
        data_label=study.data_label,
        synthetic=study.data_status == "synthetic",
    )
