"""The trial that a study which was not randomised emulates: a part of ``config/study.yaml``."""

from __future__ import annotations

from ccp_analysis.config.reading import Strict, Text


class Component(Strict):
    """A component of the target trial: what it would do, what was done, and where they differ.

    What the rest of the configuration knows of this study is not repeated here: the report says it
    first. What is left out it says is to be given by the authors.
    """

    ideal: Text | None = None
    """What the target trial would do."""
    study: Text | None = None
    """What this study did, beyond what the configuration knows."""
    differs: Text | None = None
    """Where the two differ, and what may follow from it."""
    authors: Text | None = None
    """What of this study only its authors can say and have not yet said; the report asks for it."""


class TargetTrial(Strict):
    """The trial that would answer the question, which a study that is not randomised emulates."""

    eligibility: Component | None = None
    """Who takes part."""
    strategies: Component | None = None
    """What is compared."""
    assignment: Component | None = None
    """How it is decided who is in which arm."""
    start: Component | None = None
    """When follow-up starts and ends."""
    outcome: Component | None = None
    """What is measured, when and by whom."""
    contrast: Component | None = None
    """Which effect is asked for."""
    analysis: Component | None = None
    """How it is estimated."""
