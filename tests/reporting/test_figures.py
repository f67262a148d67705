from __future__ import annotations

from pathlib import Path

import matplotlib
import pytest
from made_up import Folder, make

from ccp_analysis.reporting import contents, figures, plots


def test_every_figure_is_there_twice(clustered: Folder, plain: Folder) -> None:
    for folder in (clustered, plain):
        source = folder.source()
        names = contents.figures_of(source.study, source.economics)
        made = sorted(path.name for path in (folder.path / "figures").iterdir())
        assert made == sorted(f"{name}.{kind}" for name in names for kind in ("png", "svg"))


def test_figures_are_the_same_bytes_again(clustered: Folder, tmp_path: Path) -> None:
    # A user's own settings for matplotlib must not show.
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red"}), clustered.inside():
        figures.run(**clustered.results, out=tmp_path)
    for path in (clustered.path / "figures").iterdir():
        assert path.read_bytes() == (tmp_path / path.name).read_bytes(), path.name


def _said(figure) -> str:
    texts = [text.get_text() for text in figure.findobj(matplotlib.text.Text)]
    return "\n".join(texts)


@pytest.fixture
def stamped(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    whole = figures._save
    monkeypatch.setattr(
        figures, "_save", lambda figure, out, name: (found.append(_said(figure)), whole)
    )
    return found


def test_synthetic_figures_say_so(clustered: Folder, tmp_path: Path, stamped: list[str]) -> None:
    with clustered.inside():
        figures.run(**clustered.results, out=tmp_path)
    assert len(stamped) == 5
    assert all("SYNTHETIC DATA" in text for text in stamped)


def test_other_figures_do_not(plain: Folder, tmp_path: Path, stamped: list[str]) -> None:
    with plain.inside():
        figures.run(**plain.results, out=tmp_path)
    assert len(stamped) == 5
    assert not any("SYNTHETIC" in text for text in stamped)


def test_the_flow_counts_by_arm(clustered: Folder) -> None:
    text = _said(figures.DRAWERS["flow"](clustered.source()))
    for said in (
        "Recruited (n = 41)",
        "Allocated, not randomised; the arm is a property of the ward",
        "Start: interviewed (n = 19)",
        "   was too ill (n = 1)",
        "   left the study (n = 3)",
        "Everyone with a baseline interview, missing values imputed (n = 40)",
        "Complete cases (n = 33)",
    ):
        assert said in text
    assert "(n = 0)" not in text


def test_the_forest_says_what_is_better(clustered: Folder, plain: Folder) -> None:
    # Higher is better for one outcome, lower for the other: the axis cannot say it for both.
    text = _said(figures.DRAWERS["forest"](clustered.source()))
    assert "(higher is better)" in text
    assert "(lower is better)" in text
    assert "favours" not in text
    assert "direction of benefit not stated" in _said(figures.DRAWERS["forest"](plain.source()))
    methods = _said(figures.DRAWERS["methods"](clustered.source()))
    assert "favours New care →" in methods
    assert "← favours Usual care" in methods


def test_pairs_are_drawn_with_their_mean(clustered: Folder) -> None:
    figure = figures.DRAWERS["pair_differences"](clustered.source())
    text = _said(figure)
    assert "North" in text
    assert "−1.80" in text
    assert "−0.70 (−14.70 to 13.30)" in text
    drawn = [line.get_xdata()[0] for line in figure.axes[0].lines if line.get_marker() != "None"]
    assert drawn == [-1.8, 0.4, -0.7]


def test_nothing_missing_is_drawn_as_nothing(plain: Folder) -> None:
    assert "nothing is missing" in _said(plots.missing(plain.source()))


def test_vile_labels_are_drawn_as_text(tmp_path: Path) -> None:
    folder = make("plain", tmp_path / "study", label="<b>$\\frac{1}{$</b> $$ & ^_")
    with folder.inside():
        figures.run(**folder.results, out=tmp_path / "figures")
    assert len(list((tmp_path / "figures").iterdir())) == 10
