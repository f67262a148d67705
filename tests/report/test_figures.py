from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from made_up import Folder, make
from support import reported

from ccp_analysis.errors import StudyError
from ccp_analysis.report import drawing, stage
from ccp_analysis.report.catalogue import figures_of
from ccp_analysis.report.guarded import steady
from ccp_analysis.report.inlined import with_figures


def test_every_figure_is_there_twice(clustered: Folder, plain: Folder) -> None:
    for folder in (clustered, plain):
        source = folder.source()
        names = reported.figure_names(source)
        made = sorted(path.name for path in (folder.path / "figures").iterdir())
        assert made == sorted(f"{name}.{kind}" for name in names for kind in ("png", "svg"))


@pytest.mark.parametrize("processes", [1, 2])
def test_figures_are_the_same_bytes_again(
    clustered: Folder, tmp_path: Path, processes: int
) -> None:
    # A user's own settings for matplotlib must not show.
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red"}):
        clustered.items(tmp_path, processes=processes)
    for path in (clustered.path / "figures").iterdir():
        assert path.read_bytes() == (tmp_path / "figures" / path.name).read_bytes(), path.name


def test_a_picture_has_colours_of_its_own() -> None:
    # Few colours stay what they are; of many every one is near to one that is kept.
    step = np.arange(1 << 12, dtype=np.uint32)
    smooth = (step // 16) | (step % 64 * 4) << 8 | 0xFF808000
    for colours, far in ((smooth[:200], 0), (smooth, 16)):
        pixels = np.repeat(colours, 3).reshape(len(colours), 3)
        few = np.asarray(drawing.few_colours(pixels).convert("RGB")).astype(int)
        asked = pixels[..., None].view(np.uint8)[..., :3].astype(int)
        assert np.abs(few - asked).max() <= far


def test_names_within_a_figure_are_its_own_and_labels_stay(tmp_path: Path) -> None:
    label = '<text> id="x" url(#y)</text>'
    svg = f'<svg xmlns="s" width="9pt" viewBox="0 0 9 9"><a id="x"/><use href="#x"/>{label}</svg>\n'
    for name in ("one", "two"):
        (tmp_path / f"{name}.svg").write_text(f"<?xml?>\n{svg.replace('9pt', name)}")
    images = [f'<img src="{n}.svg" class="inline-svg" style="" alt="A"/>' for n in ("one", "two")]
    page = with_figures("".join(images).replace('"/>', '" />'), tmp_path)
    first, second = sorted(set(re.findall(r"svg_[0-9a-f]{20}", page)))
    for own in (first, second):
        assert page.count(f'<svg id="{own}" role="img" aria-label="A"') == 1
        assert page.count(f'<a id="{own}_x"/><use href="#{own}_x"/>{label}</svg>') == 1
    assert 'viewBox="0 0 9 9"' in page
    assert "xml" not in page


def _names(folder: Folder) -> list[str]:
    source = folder.source()
    return reported.figure_names(source)


def _draw_all(folder: Folder, out: Path) -> None:
    source = folder.source()
    for item in figures_of(source):
        stage.draw(source, item, out)


def _said(figure) -> str:
    texts = [text.get_text() for text in figure.findobj(matplotlib.text.Text)]
    return "\n".join(texts)


@pytest.fixture
def stamped(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    monkeypatch.setattr(drawing, "save", lambda figure, out, name: found.append(_said(figure)))
    return found


def test_synthetic_figures_say_so(clustered: Folder, tmp_path: Path, stamped: list[str]) -> None:
    _draw_all(clustered, tmp_path)
    assert len(stamped) == len(_names(clustered))
    assert all("SYNTHETIC DATA" in text for text in stamped)


def test_no_type_is_smaller_than_seven_points(
    clustered: Folder, plain: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: dict[str, float] = {}

    def smallest(figure, out: Path, name: str) -> None:
        texts = [t for t in figure.findobj(matplotlib.text.Text) if t.get_text()]
        sizes[name] = min(text.get_fontsize() for text in texts)
        assert figure.get_figwidth() == drawing.WIDTH

    monkeypatch.setattr(drawing, "save", smallest)
    for folder in (clustered, plain):
        _draw_all(folder, tmp_path)
    assert {name: size for name, size in sizes.items() if size < 7} == {}


def test_other_figures_do_not(plain: Folder, tmp_path: Path, stamped: list[str]) -> None:
    _draw_all(plain, tmp_path)
    assert len(stamped) == len(_names(plain))
    assert not any("SYNTHETIC" in text for text in stamped)


def test_the_flow_counts_by_arm(clustered: Folder) -> None:
    text = _said(reported.draw(clustered.source(), "flow"))
    for said in (
        "Recruited (n = 41)",
        "Allocated, not randomised; the arm is a property of the ward",
        "Start: interviewed (n = 19)",
        "   was too ill (n = 1)",
        "Not interviewed (n = 3):",
        "Not interviewed:",  # where the flow has no total
        "Everyone with a value at any visit and what is adjusted for (n = 41)",
        "   left the study (n = 3)",
        "Everyone with a baseline interview, missing values imputed (n = 40)",
        "Complete cases (n = 33)",
    ):
        assert said in text
    assert "(n = 0)" not in text


def test_the_forest_says_what_is_better(clustered: Folder, plain: Folder) -> None:
    # Higher is better for one outcome, lower for the other: the axis cannot say it for both.
    text = _said(reported.draw(clustered.source(), "forest"))
    assert "(higher is better)" in text
    assert "(lower is better)" in text
    assert "favours" not in text
    assert "direction of benefit not stated" in _said(reported.draw(plain.source(), "forest"))
    methods = _said(reported.draw(clustered.source(), "methods"))
    assert "favours New care →" in methods
    assert "← favours Usual care" in methods


def test_pairs_are_drawn_with_their_mean(clustered: Folder) -> None:
    figure = reported.draw(clustered.source(), "pair_differences")
    text = _said(figure)
    assert "North" in text
    assert "−1.80" in text
    assert "−0.70 (−14.70 to 13.30)" in text
    drawn = [line.get_xdata()[0] for line in figure.axes[0].lines if line.get_marker() != "None"]
    assert drawn == [-1.8, 0.4, -0.7]


def test_where_nothing_is_missing_nothing_is_drawn(plain: Folder) -> None:
    assert not reported.is_drawn(plain.source(), "missing")


def test_vile_labels_are_drawn_as_text(tmp_path: Path) -> None:
    folder = make("plain", tmp_path / "study", label="<b>$\\frac{1}{$</b> $$ & ^_")
    folder.items(tmp_path)
    assert len(list((tmp_path / "figures").iterdir())) == 2 * len(_names(folder))


def test_an_interval_at_another_level_says_so(clustered: Folder) -> None:
    assert "−0.70 (−1.80 to 0.40; 50%)" in _said(reported.draw(clustered.source(), "methods"))


def test_every_check_is_drawn(clustered: Folder) -> None:
    figure = reported.draw(clustered.source(), "check_panels_main")
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles[:5] == [
        "Residuals: quantiles",
        "Residuals: course",
        "Course on the baseline",
        "Cook's distances",
        "Effects of wards",
    ]
    assert "Ward 2" in _said(figure)
    drawn = {tuple(p) for line in figure.axes[0].lines for p in line.get_xydata()}
    assert {(-0.8, -0.9), (0.8, 1.1)} <= drawn
    assert (0.1, 0.6) in {tuple(p) for line in figure.axes[3].lines for p in line.get_xydata()}


def test_everyone_stands_above_those_without_one_pair(clustered: Folder) -> None:
    figure = reported.draw(clustered.source(), "check_pairs_main")
    text = _said(figure)
    assert text.index("Everyone observed") < text.index("Without North") < text.index("South")
    drawn = [line.get_xdata()[0] for line in figure.axes[0].lines if line.get_marker() != "None"]
    assert drawn == [-0.91, 0.4, -1.8]


def test_other_outcomes_have_a_line_each(clustered: Folder) -> None:
    figure = reported.draw(clustered.source(), "check_others_main_1")
    assert len(figure.axes) == 4
    assert figure.axes[0].get_ylabel() == "Pain at the"


def test_subgroups_are_drawn_in_the_order_of_their_codes(clustered: Folder) -> None:
    figure = reported.draw(clustered.source(), "subgroups")
    drawn = [line.get_xdata()[0] for line in figure.axes[0].lines if line.get_marker() != "None"]
    assert drawn == [0.75, -2.25, -3.0]
    assert "Interaction: <i>Male</i> & *others* against Female" in " ".join(_said(figure).split())


def test_means_are_drawn_at_every_visit(plain: Folder) -> None:
    [axes] = [a for a in reported.draw(plain.source(), "visits").axes if a.lines]
    courses = {line.get_label(): list(line.get_ydata()) for line in axes.lines}
    assert courses == {"Drug A": [10.4, 9.9], "Drug B": [9.2, 7.6]}
    assert axes.get_title(loc="left") == "MMRM with baseline by visit, observed visits"


def test_what_was_not_found_is_drawn_as_nothing(clustered: Folder, tmp_path: Path) -> None:
    folder = make("clustered", tmp_path / "study")
    table = folder.path / "results.csv"
    lines = table.read_text().splitlines(keepends=True)
    table.write_text("".join(line for line in lines if ",checks_" not in line[:20]))
    folder.items(tmp_path)
    source = folder.source()
    for name in ("check_panels_main", "check_pairs_main", "check_others_main_1"):
        assert (tmp_path / "figures" / f"{name}.svg").is_file()
        assert not reported.is_drawn(source, name)
        assert reported.is_drawn(clustered.source(), name)


def test_checks_without_their_points_are_refused(clustered: Folder, tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="folder of their points"):
        clustered.items(tmp_path, points=None)


def test_the_last_digits_of_numbers_move_no_mark(ccp_reported, tmp_path):
    chance = np.random.default_rng(20261129)

    def moved(number):
        return number * (1 + 2e-14 * chance.standard_normal()) if type(number) is float else number

    source = ccp_reported.source()
    rows = [{name: moved(value) for name, value in row.items()} for row in source.results]
    tipping = source.tipping.map(moved)
    other = replace(source, results=rows, tipping=tipping)
    assert not other.tipping.equals(source.tipping)
    for name in ("cascade", "departures", "tipping"):
        drawn = []
        for place, of in (("first", source), ("other", other)):
            item = next(item for item in figures_of(of) if item.name == name)
            stage.draw(steady(of), item, tmp_path / place)
            drawn.append((tmp_path / place / f"{name}.svg").read_bytes())
        assert drawn[0] == drawn[1], name
