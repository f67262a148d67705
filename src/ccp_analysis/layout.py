"""Every file of a study folder, by name."""

from __future__ import annotations

from pathlib import Path

STUDY = Path("config/study.yaml")
DICTIONARY = Path("config/dictionary.csv")
INSTRUMENTS = Path("config/instruments.yaml")
PLAN = Path("config/analysis.yaml")
ECONOMICS = Path("config/economics.yaml")
IMPLEMENTATION = Path("config/implementation.yaml")
RULES = Path("config/rules.yaml")
DECISIONS = Path("config/decisions.csv")
