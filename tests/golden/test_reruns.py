"""Which rules run again after an edit: a wider reach of a file is a difference in this table.

Of every file of the package and of the shipped study, the rules whose fingerprint has it; what
follows from them runs again as well. ``python tests/golden/test_reruns.py`` writes the table.
"""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd

from ccp_analysis import provenance
from ccp_analysis.cli import BY_HAND, COMMANDS
from ccp_analysis.config.study import load_study
from ccp_analysis.config.trial import configuration_files

ROOT = Path(__file__).parents[2]
KEPT = Path(__file__).with_name("reruns.csv")


def reach() -> pd.DataFrame:
    """Return the rules of each file, for the study in the current folder."""
    read = configuration_files()
    raw = [file.path.as_posix() for file in load_study().files.values()]
    found: dict[str, set[str]] = {}
    for command in set(COMMANDS) - BY_HAND:
        code = [path.relative_to(ROOT).as_posix() for path in provenance.modules_of(command)]
        own = read[command] + (raw if command == "clean" else [])
        for name in [*code, *own]:
            found.setdefault(name, set()).add(command)
    rows = [(name, " ".join(sorted(rules))) for name, rules in sorted(found.items())]
    return pd.DataFrame(rows, columns=["file", "rules"])


def test_no_edit_reruns_more_than_is_kept(monkeypatch) -> None:
    monkeypatch.chdir(ROOT)
    kept, found = (
        dict(zip(table["file"], table["rules"], strict=True))
        for table in (pd.read_csv(KEPT), reach())
    )
    changed = {
        name: (kept.get(name), found.get(name))
        for name in kept.keys() | found.keys()
        if kept.get(name) != found.get(name)
    }
    assert changed == {}


if __name__ == "__main__":
    os.chdir(ROOT)
    reach().to_csv(KEPT, index=False, lineterminator="\n")
