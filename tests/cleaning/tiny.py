"""A study of five people, that of data/tiny/, in a folder of its own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from ccp_analysis.cleaning import stage
from ccp_analysis.errors import StudyError

SOURCE = Path(__file__).with_name("data") / "tiny"
RAW = {path.name: path.read_text(encoding="utf-8") for path in sorted(SOURCE.glob("*.csv"))}
WRITTEN = {"participants": "p.parquet", "queries": "q.csv", "flow": "f.json"}
WRITTEN |= {"missing": "m.parquet", "scales": "s.csv", "codebook": "c.parquet"}
WRITTEN |= {"stopped": "stop.csv"}
# What is written where the study declares it.
DECLARED = {"losses:": "events", "rows: practitioner": "practitioners", "delivery:": "delivery"}


class Tiny:
    """A study of five people."""

    def __init__(self, path: Path) -> None:
        self.path = path
        shutil.copytree(SOURCE, path, dirs_exist_ok=True)

    def write(self, name: str, text: str | bytes) -> None:
        content = text if isinstance(text, bytes) else text.encode()
        (self.path / name).write_bytes(content)

    def clean(self) -> tuple[pd.DataFrame, pd.DataFrame, dict]:
        study = (self.path / "config/study.yaml").read_text(encoding="utf-8")
        more = {name: f"{name}.parquet" for key, name in DECLARED.items() if key in study}
        stage.run(**{name: Path(file) for name, file in (WRITTEN | more).items()})
        return (
            pd.read_parquet("p.parquet").set_index("participant"),
            pd.read_csv("q.csv", dtype=str, keep_default_na=False),
            json.loads(Path("f.json").read_text()),
        )

    def change(self, name: str, old: str, new: str) -> None:
        text = (self.path / name).read_text(encoding="utf-8")
        assert old in text
        self.write(name, text.replace(old, new))

    def fails(self) -> StudyError:
        with pytest.raises(StudyError) as caught:
            self.clean()
        assert not {"p.parquet", "q.csv", "f.json"} & {p.name for p in self.path.iterdir()}
        return caught.value
