"""A study of five people in a folder of its own."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from ccp_analysis.cleaning import stage
from ccp_analysis.errors import StudyError

STUDY = """
id: tiny
title: Tiny
short_title: Tiny
registration: none
data_status: synthetic
data_date: 2021-01-01
randomised: false
arms: {variable: arm, reference: c, levels: {c: Control, t: Treated}}
clusters: {unit: team, pair: trust, unit_label: team, pair_label: Trust}
visits:
  - {id: before, label: Before, months: 0, file: first}
  - {id: after, label: After, months: 6, file: second}
files:
  roster: {path: roster.csv, rows: participant}
  teams: {path: teams.csv, rows: cluster}
  first: {path: first.csv, rows: participant}
  second: {path: second.csv, rows: participant}
  events: {path: events.csv, rows: event}
losses: {file: events, event: event, date: date, reason: reason, ending: [lost]}
"""
DICTIONARY = """\
file,column,name,visit,label,type,codes,missing,minimum,maximum,unit
roster,who,participant,,Who,id,,,,,
roster,team,team,,Team,category,A=Team A; B=Team B; C=Team C; D=Team D,,,,
teams,team,team,,Team,category,A=Team A; B=Team B; C=Team C; D=Team D,,,,
teams,trust,trust,,Trust,category,x=X; y=Y,,,,
teams,arm,arm,,Arm,category,c=Control; t=Treated,,,,
first,who,participant,,Who,id,,,,,
first,age,age,,Age,integer,,-99=refused,18,99,years
first,score,score,before,Score,integer,,,0,10,
first,remark,remark,,Remark,text,,,,,
second,who,participant,,Who,id,,,,,
second,score,score,after,Score,integer,,,0,10,
events,who,participant,,Who,id,,,,,
events,event,event,,Event,category,lost=Lost; harm=Harm,,,,
events,date,date,,Date,date,,,,,
events,reason,reason,,Reason,category,moved=Moved; none=None given,,,,
"""
RAW = {
    "roster.csv": "who,team\nP1,A\nP2,B\nP3,C\nP4,D\nP5,A\n",
    "teams.csv": "team,trust,arm\nA,x,c\nB,x,t\nC,y,c\nD,y,t\n",
    "first.csv": "who,age,score,remark\nP1,30,5,fine\nP2,40,6,\nP3,50,7,\nP4,60,8,likes tea\n",
    "second.csv": "who,score\nP1,6\nP2,7\nP4,9\n",
    "events.csv": "who,event,date,reason\nP3,lost,2020-02-01,moved\nP4,harm,2020-03-01,none\n",
}


class Tiny:
    """A study of five people."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "config").mkdir()
        self.write("config/study.yaml", STUDY)
        self.write("config/dictionary.csv", DICTIONARY)
        self.write("config/instruments.yaml", "instruments: {}\n")
        for name, text in RAW.items():
            self.write(name, text)

    def write(self, name: str, text: str | bytes) -> None:
        content = text if isinstance(text, bytes) else text.encode()
        (self.path / name).write_bytes(content)

    def clean(self) -> tuple[pd.DataFrame, pd.DataFrame, dict]:
        stage.run(
            participants=Path("p.parquet"),
            queries=Path("q.csv"),
            flow=Path("f.json"),
            missing=Path("m.parquet"),
            scales=Path("s.csv"),
            codebook=Path("c.parquet"),
            stopped=Path("stop.csv"),
        )
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
