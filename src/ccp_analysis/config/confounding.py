"""What is done because arms were not allocated at random: a part of ``config/analysis.yaml``."""

from __future__ import annotations

from pydantic import Field

from ccp_analysis.config.reading import Share, Strict


class Confounding(Strict):
    """What weights make alike in the arms, and when they are refused."""

    covariates: list[str] = Field(min_length=1)
    """Baseline variables that weights balance, beside the pairs of clusters and the outcome's own
    baseline; the weighted models adjust for them too."""
    people_per_column: float = Field(default=8, gt=0)
    """People that the smaller arm must have for each column that is balanced, pairs apart; with
    fewer, standard errors that take weights as known become too small (docs/confounding.md)."""
    largest_share: Share = 0.2
    """Share of the weight of an arm that one person may have."""
