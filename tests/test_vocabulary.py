"""The words of the results table: each said once, and asked for by its member."""

from __future__ import annotations

import ast
import re
import shutil
from collections.abc import Iterator

import pytest
from jinja2 import Environment, nodes
from support.study import BTHEB, ROOT, report_by

from ccp_analysis.results.terms import VOCABULARY, Inference, Population, Status, Term

PACKAGE = ROOT / "src" / "ccp_analysis"
ROOMS = ("analyses", "economics", "implementation", "report", "results")
WORDS = {column: {str(word) for word in words} for column, words in VOCABULARY.items()}
# Words that can be nothing else, wherever they stand as a text.
CERTAIN = {str(term) for term in Term if " " in term} | {str(i) for i in Inference if "-" in i}
# A label that is the same words, in a sentence, on an axis or over a column.
LABELS = {
    *(("check_panels.py", "Cook's distance"), ("records.py", "Cronbach's alpha")),
    *(("costs.py", "adjusted mean"), ("outcomes.py", "adjusted mean")),
}


def literals(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield texts that stand where a word of the vocabulary is meant, with their lines."""
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and node.value in CERTAIN and id(node) not in docstrings:
            yield node.lineno, node.value
        if isinstance(node, ast.Dict):
            pairs = [
                (getattr(k, "value", None), v) for k, v in zip(node.keys, node.values, strict=True)
            ]
        elif isinstance(node, ast.Call):
            pairs = [(keyword.arg, keyword.value) for keyword in node.keywords]
        elif isinstance(node, ast.Compare) and isinstance(node.left, ast.Subscript):
            column = getattr(node.left.slice, "value", None)
            pairs = [(column, value) for value in node.comparators]
        else:
            continue
        for column, value in pairs:
            for one in getattr(value, "elts", [value]):
                if getattr(one, "value", None) in WORDS.get(column, ()):
                    yield one.lineno, one.value


@pytest.mark.parametrize("room", ROOMS)
def test_no_word_stands_as_a_text(room):
    found = [
        f"{path.name}, line {line}: {word}"
        for path in sorted((PACKAGE / room).rglob("*.py"))
        if path.name != "terms.py"
        for line, word in literals(ast.parse(path.read_text(encoding="utf-8")))
        if (path.name, word) not in LABELS
    ]
    assert found == []


def test_the_templates_ask_by_members():
    found = []
    known = set().union(*(WORDS[c] for c in ("model", "inference", "term", "population")))
    for path in sorted(PACKAGE.rglob("*.j2")):
        tree = Environment().parse(path.read_text(encoding="utf-8"))
        asked = [n.expr for n in tree.find_all(nodes.Compare)]
        asked += [o.expr for n in tree.find_all(nodes.Compare) for o in n.ops]
        asked += [n.value for n in tree.find_all(nodes.Keyword)]
        texts = {n.value for n in asked if isinstance(n, nodes.Const)}
        found += [f"{path.name}: {word}" for word in sorted(texts & known, key=str)]
    assert found == []


@pytest.mark.pipeline
def test_a_word_renamed_is_renamed_in_everything(btheb_reported, tmp_path):
    # The second study as it is, and by a copy of the code in which some words are others.
    renamed = {
        Term.DETECTABLE: "least detectable difference",
        Term.LORD: "ancova less change score",
        Term.NORMALITY: "residuals are normal",
        Term.TIPPING_POINT: "turning point",
        Population.COMPLETE_CASES: "seen-on-all",
        Inference.KENWARD_ROGER: "kr",
        Status.BOUNDARY: "edge",
    }
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    words = tmp_path / "src/ccp_analysis/results/terms.py"
    text = words.read_text(encoding="utf-8")
    for word, new in renamed.items():
        assert f'= "{word}"' in text
        text = text.replace(f'= "{word}"', f'= "{new}"')
    words.write_text(text, encoding="utf-8")
    made = {}
    other_reports = report_by(tmp_path, BTHEB, tmp_path / "study")
    for kind, reports in (("plain", btheb_reported / "reports"), ("renamed", other_reports)):
        made[kind] = {
            path.name: path.read_bytes()
            for path in reports.rglob("*")
            if path.suffix in (".html", ".csv")
        }
    assert {"results.csv", "report.html", "comparison.csv", "codebook.html"} <= made["plain"].keys()
    results = made["plain"].pop("results.csv").decode()
    for word, new in renamed.items():
        results = results.replace(f",{word},", f",{new},")
    other = made["renamed"].pop("results.csv").decode()
    # The id of a row hangs on its words.
    rows = [sorted(line.partition(",")[2] for line in t.splitlines()) for t in (other, results)]
    assert rows[0] == rows[1]
    assert made["renamed"].keys() == made["plain"].keys()
    # Rows are named by their words, and so are their places: what is read stays the same.
    # The page of all results prints the words themselves.
    before, after = (made[kind].pop("results.html").decode() for kind in ("plain", "renamed"))
    assert all(new in after for word, new in renamed.items() if f">{word}<" in before)
    for name, content in made["plain"].items():
        same = [read(parts) for parts in (made["renamed"][name], content)]
        assert same[0] == same[1], name


def read(content: bytes) -> list[str]:
    """Return the words of a page or table, without the ids of rows, in order."""
    text = re.sub(r"<script.*?</script>|<[^>]*>", " ", content.decode(), flags=re.DOTALL)
    return re.sub(r"\b[a-z][a-z2-7]{7}\b", "row", text).split()
