"""Reading YAML and CSV files: whatever is wrong with them becomes a sentence with file and line."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from copy import deepcopy
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from textwrap import dedent
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    StringConstraints,
    ValidationError,
)

from ccp_analysis.errors import StudyError, denied, like

UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")
# What no document can show: control characters, halves of characters, and what is none.
UNSHOWN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
# Words for the two commonest complaints of pydantic; its own serve for the rest.
_WORDS = {"extra_forbidden": "unknown key", "missing": "is missing"}
# What it leaves out: how a value is written.
_FORMS = {
    "date_from_datetime_parsing": "expected one as 2021-01-31",
    "bool_parsing": "expected true or false",
}
# What to do about the commonest faults of YAML, by what its reader says of them.
_REMEDIES = {
    "\\t": "; write blanks in place of tabs",
    "mapping values": "; put a text that holds ': ' within quotes, keys of a part in one column",
    "expected <block end>": "; begin keys of a part in one column",
    "alphabetic or numeric": "; put a text that begins with one of %, & and * within quotes",
    "cannot be shown": "; write the character itself, or leave it out",
    "stands twice": "; keep one of them",
}
# An entry is named by one word, its list by the other.
_LISTS = {"analysis": "analyses", "estimand": "estimands", "family": "families"}
_NAMED = re.compile(
    r"(?P<key>[a-z_.]+)(?: '(?P<entry>[^']+)')?: (?:number (?P<number>\d+) of the list)?"
)
# Where libyaml, ten times as fast, takes for YAML what the parser in Python refuses.
_LENIENT = re.compile(r"[\t\ufeff?!]|[|>][-+0-9]*#|^%", re.MULTILINE)
# More than any configuration needs.
LEVELS = 50
ENTRIES = 20_000
BYTES = 1_000_000
_QUOTED = re.compile("'([^']+)'")
LONG = 200  # letters of a value that a sentence repeats
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Share = Annotated[float, Field(ge=0, le=1)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Key = tuple[str, ...]
Lines = dict[Key, int]


class Strict(BaseModel):
    """A part of the configuration: unknown keys, infinities and NaN are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, defer_build=True)

    def references(self) -> Iterator[str]:
        """Yield what names something that must stand elsewhere in the same file and does not."""
        yield from ()

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: Any, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Describe each key by what stands under it: read here, and not in every process."""
        found = handler(schema)
        properties = handler.resolve_ref_schema(found)["properties"]
        for key, said in docstrings(cls).items():
            properties[cls.model_fields[key].alias or key]["description"] = said
        return found


Config = TypeVar("Config", bound=Strict)


def docstrings(model: type[Strict]) -> dict[str, str]:
    """Return what stands under each key of a part of the configuration, its parents' too."""
    kinds = [kind for kind in reversed(model.__mro__) if issubclass(kind, Strict)]
    trees = [ast.parse(dedent(inspect.getsource(kind))).body[0] for kind in kinds]
    return {
        ast.unparse(key.target): inspect.cleandoc(ast.literal_eval(below.value))
        for tree in trees
        for key, below in pairwise(ast.iter_child_nodes(tree))
        if isinstance(key, ast.AnnAssign) and isinstance(below, ast.Expr)
    }


class _Loader(yaml.SafeLoader):
    """YAML of bounded size in which a key stands once and a scalar is what is written.

    The plain loader keeps the last of several keys, reads the code `01` as 1, `010` as 8 and `no`
    as false, and lets a few lines of aliases stand for more than any memory holds.
    """

    def __init__(self, text: str, quick: bool) -> None:
        super().__init__(text)
        if quick:
            parser, events = yaml.CSafeLoader(text), ("check_event", "peek_event", "get_event")
            vars(self).update({name: getattr(parser, name) for name in events})
        self.depth = self.entries = 0
        self.extents: dict[yaml.Node, tuple[int, int]] = {}  # entries and levels of a node

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()
        mark, alias = event.start_mark, isinstance(event, yaml.AliasEvent)
        self.depth += 1
        self.entries += 1
        self._within(self.entries, self.depth, mark)
        node = super().compose_node(parent, index)
        if isinstance(node, yaml.ScalarNode) and (strange := unshown(node.value)):
            raise yaml.composer.ComposerError(problem=strange, problem_mark=mark)
        if node is not None and not alias:
            parts = node.value if isinstance(node, yaml.CollectionNode) else []
            pairs = isinstance(node, yaml.MappingNode)
            inside = [self.extents[n] for part in parts for n in (part if pairs else [part])]
            levels = 1 + max((depth for _, depth in inside), default=0)
            self.extents[node] = 1 + sum(entries for entries, _ in inside), levels
        elif node is not None and node not in self.extents:
            raise yaml.composer.ComposerError(
                problem=f"'*{event.anchor}' stands within what it stands for", problem_mark=mark
            )
        if node is not None:
            entries, levels = self.extents[node]
            self._within(entries, self.depth + levels - 1, mark)
        self.depth -= 1
        return node

    @staticmethod
    def _within(entries: int, levels: int, mark: yaml.Mark) -> None:
        """Raise an error for more than any configuration needs."""
        problem = ""
        if levels > LEVELS:
            problem = f"more than {LEVELS} levels one within another; write it with fewer"
        elif entries > ENTRIES:
            problem = (
                f"more than {ENTRIES} entries, those behind an alias counted wherever it stands; "
                "write it with fewer, and without aliases of aliases"
            )
        if problem:
            raise yaml.composer.ComposerError(problem=problem, problem_mark=mark)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        problem=f"the key '{key.value}' stands twice", problem_mark=key.start_mark
                    )
                seen.add(key.value)
        return super().construct_mapping(node, deep)


# Only what is empty is anything but text, and << joins mappings; pydantic knows what is a number.
_KINDS = {"null", "merge"}
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in known if tag.rpartition(":")[2] in _KINDS]
    for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.yaml_constructors = {
    tag: make
    for tag, make in yaml.SafeLoader.yaml_constructors.items()
    if tag is None or tag.rpartition(":")[2] in {"null", "str", "seq", "map"}
}


def unshown(text: str) -> str:
    """Return what is wrong with a text that holds what no document can show, or nothing."""
    found = UNSHOWN.search(text)
    return f"a text holds U+{ord(found[0]):04X}, which cannot be shown" if found else ""


def read_text(path: Path, expected: str) -> str:
    """Read a text file.

    Parameters
    ----------
    path : Path
        The file, in UTF-8 with or without byte order mark.
    expected : str
        What to say, behind a semicolon, where the file is missing.

    Raises
    ------
    StudyError
        If the file is missing, cannot be read or is not UTF-8.
    """
    if not path.is_file():
        raise StudyError(f"{path}: the file is missing; {expected}.")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise StudyError(denied(error)) from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise StudyError(
            f"{path}, line {line}: not UTF-8 text; expected a file saved as UTF-8."
        ) from error


def read_yaml(path: Path) -> dict[str, object]:
    """Read a YAML file of keys with values; StudyError if it is anything else."""
    return read_lines(path)[0]


def read_lines(path: Path) -> tuple[dict[str, object], Lines]:
    """Read a YAML file, and the line on which each key and each entry of a list begins."""
    text = read_text(path, "expected a YAML file there")
    if len(text) > BYTES:
        raise StudyError(f"{path}: {len(text)} letters found; expected no more than {BYTES}.")
    try:
        try:
            content, lines = _parsed(text, yaml.__with_libyaml__ and not _LENIENT.search(text))
        except (yaml.YAMLError, ValueError):  # which the parser in Python says in its own words
            content, lines = _parsed(text, False)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        way = "".join(way for words, way in _REMEDIES.items() if words in str(error.problem))
        raise StudyError(f"{path}, line {line}: not valid YAML ({error.problem}){way}.") from error
    except (yaml.YAMLError, ValueError) as error:  # a control character; a 30th of February
        raise StudyError(f"{path}: not valid YAML ({str(error).splitlines()[0]}).") from error
    if not isinstance(content, dict):
        kind = {"list": "a list", "str": "text"}.get(type(content).__name__, "nothing")
        raise StudyError(f"{path}: expected keys with values, found {kind}.")
    return deepcopy(content), lines


@lru_cache(maxsize=16)
def _parsed(text: str, quick: bool) -> tuple[Any, Lines]:
    loader = _Loader(text, quick)
    node = loader.get_single_node()
    return None if node is None else loader.construct_document(node), dict(_lines(node))


def _lines(node: yaml.Node | None, at: tuple[str, ...] = ()) -> Iterator[tuple[Key, int]]:
    """Yield the path of every key and every entry of a list with its line.

    An entry with an id is also found by that, as ``("sensitivity", "societal")``.
    """
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                yield (*at, key.value), key.start_mark.line + 1
                yield from _lines(value, (*at, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for number, entry in enumerate(node.value):
            yield (*at, str(number)), entry.start_mark.line + 1
            if isinstance(entry, yaml.MappingNode):
                for key, value in entry.value:
                    if key.value == "id" and isinstance(value, yaml.ScalarNode):
                        yield (*at, value.value), entry.start_mark.line + 1
            yield from _lines(entry, (*at, str(number)))


def place(path: Path, *keys: str | int) -> str:
    """Return a YAML file and the line of a key in it, as the beginning of a sentence.

    Parameters
    ----------
    path : Path
        The file, which was read before.
    *keys : str or int
        The way to the key: keys, numbers from 0 or ids of entries of a list. Of a key that does not
        stand there the line is that of the last one on the way that does.
    """
    return _place(str(path), read_lines(path)[1], [str(key) for key in keys])


def _place(where: str, lines: Lines, keys: Sequence[str]) -> str:
    found = [lines.get(tuple(keys[:depth])) for depth in range(1, len(keys) + 1)]
    line = next((line for line in reversed(found) if line is not None), None)
    return where if line is None else f"{where}, line {line}"


def load(model: type[Config], path: Path) -> Config:
    """Read a YAML file as a model; StudyError names the first fault, its `faults` all of them.

    What a model has as `references`, names in it that must stand elsewhere in it, is checked too.
    """
    content, lines = read_lines(path)
    try:
        value = model.model_validate(content)
    except ValidationError as error:
        raise first_of(complaints(str(path), error, lines)) from error
    faults = unresolved(value, path, lines)
    if faults:
        raise first_of(faults)
    return value


def unresolved(value: Strict, path: Path, lines: Lines) -> list[str]:
    """Return the faults of a model's references, with their places."""
    return [
        f"{_place(str(path), lines, _named(sentence))}: {sentence}."
        for sentence in value.references()
    ]


def among(where: str, names: Iterable[str], known: Collection[str], what: str) -> Iterator[str]:
    """Yield a sentence for each name that is not known, with the known one that is most like it.

    Examples
    --------
    >>> from ccp_analysis.config.reading import among
    >>> print(*among("covariates", ["agee"], ["age", "sex"], "variables"))
    covariates: 'agee' is not one of the variables; most like it: 'age'
    """
    for name in sorted(set(names) - set(known)):
        yield f"{where}: '{name}' is not one of the {what}{like(name, known)}"


def complaints(where: str, error: ValidationError, lines: Lines | None = None) -> list[str]:
    """Turn pydantic's list of complaints into sentences that begin with the place.

    Parameters
    ----------
    where : str
        The file, or the file and the line.
    error : pydantic.ValidationError
        What was found.
    lines : dict, optional
        Path of a key → its line, of a file of keys; the sentences then name the line of the key
        that they complain of, or of the nearest one above it.
    """
    faults = []
    for complaint in error.errors():
        key = ".".join(str(part) for part in complaint["loc"])
        what = _WORDS.get(complaint["type"], complaint["msg"].removeprefix("Value error, "))
        if str(complaint.get("ctx", {}).get("pattern")).startswith("^[a-z]"):
            what = "expected a name of small letters, digits and _"
        what += f"; {_FORMS[complaint['type']]}" if complaint["type"] in _FORMS else ""
        found = complaint.get("input")
        shown = f" (found: {_shown(found)})" if isinstance(found, str | int | float) else ""
        if complaint["type"] == "literal_error" and isinstance(found, str):
            shown = shown.removesuffix(")") + like(found, _QUOTED.findall(what)) + ")"
        elif complaint["type"] == "extra_forbidden":
            what += like(str(complaint["loc"][-1]), _known_keys(Strict))
        keys = [str(part) for part in complaint["loc"]]
        if complaint["type"] == "value_error":
            keys += _named(what)
        at = _place(where, lines, keys) if lines else where
        faults.append(f"{at}: {key + ': ' if key else ''}{what}{shown}.")
    return faults


def _known_keys(model: type[BaseModel]) -> set[str]:
    """Return the keys of all parts of the configuration."""
    parts = model.__subclasses__()
    return set(model.model_fields).union(*(_known_keys(part) for part in parts))


def _shown(found: str | float) -> str:
    """Return a value as it is written: a number bare, text within marks and not without end."""
    text = str(found)
    try:
        float(text)
    except ValueError:
        return repr(text[:LONG] + "…" * (len(text) > LONG))
    return text[:LONG]


def _named(sentence: str) -> list[str]:
    """Return the key, and the entry, with which "sensitivity 'societal': …" and the like begin."""
    named = _NAMED.match(sentence)
    if named is None:
        return []
    entry = named["entry"] or (str(int(named["number"]) - 1) if named["number"] else None)
    key = _LISTS.get(named["key"], named["key"]) if entry else named["key"]
    return [*key.split("."), *([entry] if entry else [])]


def first_of(faults: Sequence[str]) -> StudyError:
    """Return the error that says the first of some faults and carries all for the log.

    A fault is one line, whatever stands in the cell that it quotes: control characters, line breaks
    and marks that turn the direction of writing become blanks.
    """
    lines = [UNPRINTABLE.sub(" ", fault) for fault in faults]
    more = f" ({len(lines) - 1} more in the log)" if len(lines) > 1 else ""
    return StudyError(lines[0] + more, lines)
