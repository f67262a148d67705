"""What is strange in the prices of an evaluation: a part of ``config/economics.yaml``."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from ccp_analysis.config.reading import Strict, Text

Multiple = Annotated[float, Field(ge=0)]
# Pounds between which the price of a unit of health or social care raises no question.
USUAL = {
    "contact": (2.0, 400.0),
    "attendance": (5.0, 1000.0),
    "day": (10.0, 2500.0),
    "hour": (5.0, 500.0),
    "pound": (0.9, 1.1),
}


class Strange(Strict):
    """From where on an input of the evaluation is asked about; each becomes a query.

    A price is compared with the median of the other services of its unit where there are three of
    them, otherwise with all others. What `accepted` names keeps its query, with the answer.
    """

    above: float = Field(default=4, gt=1)
    """Times the median of the other services of its unit: an hour's price, or pence."""
    below: float = Field(default=0.2, gt=0, lt=1)
    """Times the median of the other services of its unit: a slip of the decimal point."""
    other_units: float = Field(default=20, gt=1)
    """Times the median of all others, or its inverse, where fewer than three have the unit."""
    plausible: dict[str, tuple[Multiple, Multiple]] = {}
    """Unit and the lowest and highest price that raises no question; joins those of `USUAL`."""
    share: float = Field(default=0.5, gt=0, lt=1)
    """Share of one service in the cost of all, or of one item in that of the intervention."""
    index_step: float = Field(default=0.15, gt=0)
    """Change of the price index in a year, as a proportion."""
    caseload: float = Field(default=20, gt=1)
    """People served for each participant of the arm."""
    accepted: dict[str, Text] = {}
    """Service, item, price year or caseload that is as it should be, and why."""

    @model_validator(mode="after")
    def _ranges(self) -> Strange:
        for unit, (low, high) in self.plausible.items():
            if low >= high:
                raise ValueError(f"plausible: '{unit}' must go from a lower to a higher price")
        return self

    def range_of(self, unit: str) -> tuple[float, float] | None:
        """Return what a unit usually costs; None where nobody has said so."""
        return (USUAL | self.plausible).get(unit)
