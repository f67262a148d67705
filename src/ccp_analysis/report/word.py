"""The reference document from which pandoc takes the look of report.docx, and its last touches."""

from __future__ import annotations

import datetime as dt
import io
import re
import zipfile
from html import escape, unescape
from pathlib import Path
from xml.etree import ElementTree

_W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_R = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_ROOT = f'xmlns:w="{_W}" xmlns:r="{_R}"'
_XML = '<?xml version="1.0" encoding="UTF-8"?>\n'

_TAB = "<w:r><w:tab/></w:r>"
_FIELD = '<w:fldSimple w:instr=" {} "><w:r><w:t>1</w:t></w:r></w:fldSimple>'
_PAGE = (
    '<w:sectPr><w:headerReference w:type="default" r:id="rId901"/>'
    '<w:footerReference w:type="default" r:id="rId902"/>'
    '<w:pgSz w:w="11906" w:h="16838"/>'
    '<w:pgMar w:top="1474" w:right="1134" w:bottom="1247" w:left="1134" w:header="680" '
    'w:footer="567" w:gutter="0"/></w:sectPr>'
)


def reference_document(
    default: bytes, styles: Path, *, left: str, centre: str, right: str, alarm: bool, date: dt.date
) -> bytes:
    """Return a reference document with our styles, and a header and a footer on every page.

    Parameters
    ----------
    default : bytes
        Pandoc's own reference document.
    styles : Path
        Styles that take the place of those of the same id.
    left, centre, right : str
        What the header says.
    alarm : bool
        Whether the middle of the header is set in bold red.
    date : datetime.date
        The date of the parts.

    Returns
    -------
    bytes
        A DOCX file that depends on nothing but the parameters.
    """
    with zipfile.ZipFile(io.BytesIO(default)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["word/styles.xml"] = _styles(parts["word/styles.xml"], styles.read_bytes())
    parts["word/header901.xml"] = _header(left, centre, right, alarm).encode()
    parts["word/footer901.xml"] = _footer().encode()
    parts["word/document.xml"] = _with_page(parts["word/document.xml"].decode()).encode()
    for name, change in (
        ("[Content_Types].xml", _content_types),
        ("word/_rels/document.xml.rels", _relationships),
    ):
        parts[name] = change(parts[name].decode()).encode()
    target = io.BytesIO()
    moment = (date.year, date.month, date.day, 0, 0, 0)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(zipfile.ZipInfo(name, moment), content)
    return target.getvalue()


_HEADING = re.compile(
    r'<w:bookmarkStart w:id="\d+" w:name="([^"]+)" />\s*'
    r'<w:p><w:pPr><w:pStyle w:val="Heading([12])" /></w:pPr>(.*?)</w:p>',
    re.DOTALL,
)
_CONTENTS = re.compile(r"<w:sdt>.*?</w:sdt>\s*", re.DOTALL)
_ENTRY = (
    '<w:p><w:pPr><w:pStyle w:val="TOC{level}"/></w:pPr>{begin}<w:hyperlink w:anchor="{anchor}">'
    "{title}</w:hyperlink></w:p>"  # pages are counted by Word, when it opens the document
)


def finished(made: bytes) -> bytes:
    """Return pandoc's document with contents before the first heading and rows that stay whole."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(made)) as old, zipfile.ZipFile(target, "w") as new:
        for info in old.infolist():
            content = old.read(info)
            if info.filename == "word/document.xml":
                content = _finished(content.decode()).encode()
            new.writestr(info, content, zipfile.ZIP_DEFLATED)
    return target.getvalue()


def _finished(text: str) -> str:
    text = text.replace("<w:tr><w:tc>", "<w:tr><w:trPr><w:cantSplit /></w:trPr><w:tc>")
    text = text.replace("<w:trPr><w:tblHeader", "<w:trPr><w:cantSplit /><w:tblHeader")
    group = r'(<w:gridSpan [^>]*/>.{0,40}?</w:tcPr><w:p><w:pPr><w:pStyle w:val="Compact" />)'
    text = re.sub(group, r"\1<w:keepNext />", text)
    headings = [match.groups() for match in _HEADING.finditer(text)]
    contents, first = _CONTENTS.search(text), _HEADING.search(text)
    if not contents or not first:
        return text
    begin, separate, end = re.split(r"(<w:fldChar w:fldCharType=\"separate\" />)", contents[0])
    head, _, field = begin.rpartition("<w:p>")
    entries = [
        _ENTRY.format(
            level=level,
            anchor=anchor,
            title=_run(unescape(" ".join(re.findall(r"<w:t(?: [^>]*)?>([^<]*)</w:t>", said)))),
            begin=f"{field}{separate}</w:r>" if place == 0 else "",
        )
        for place, (anchor, level, said) in enumerate(headings)
    ]
    filled = f"{head}{''.join(entries)}<w:p><w:r>{end}\n    "
    rest = text[contents.end() : first.start()]
    return text[: contents.start()] + rest + filled + text[first.start() :]


def _styles(default: bytes, own: bytes) -> bytes:
    ElementTree.register_namespace("w", _W)
    ElementTree.register_namespace("r", _R)
    tree, ours = ElementTree.fromstring(default), ElementTree.fromstring(own)
    key = f"{{{_W}}}styleId"
    replaced = {style.get(key) for style in ours}
    for style in tree.findall(f"{{{_W}}}style"):
        if style.get(key) in replaced:
            tree.remove(style)
    tree.extend(ours)
    return ElementTree.tostring(tree, encoding="UTF-8", xml_declaration=True)


def _run(text: str, properties: str = "") -> str:
    shown = f'<w:t xml:space="preserve">{escape(text, quote=False)}</w:t>'
    return f"<w:r><w:rPr>{properties}</w:rPr>{shown}</w:r>"


def _header(left: str, centre: str, right: str, alarm: bool) -> str:
    loud = '<w:b/><w:color w:val="B3261E"/>' if alarm else ""
    runs = _run(left) + _TAB + _run(centre, loud) + _TAB + _run(right)
    style = '<w:pPr><w:pStyle w:val="Header"/></w:pPr>'
    return f"{_XML}<w:hdr {_ROOT}><w:p>{style}{runs}</w:p></w:hdr>"


def _footer() -> str:
    runs = _FIELD.format("PAGE") + _run(" / ") + _FIELD.format("NUMPAGES")
    style = '<w:pPr><w:pStyle w:val="Footer"/></w:pPr>'
    return f"{_XML}<w:ftr {_ROOT}><w:p>{style}{runs}</w:p></w:ftr>"


def _with_page(document: str) -> str:
    head, _, _ = document.rpartition("<w:sectPr")
    return f"{head}{_PAGE}</w:body></w:document>"


def _content_types(types: str) -> str:
    kind = "application/vnd.openxmlformats-officedocument.wordprocessingml"
    own = "".join(
        f'<Override PartName="/word/{part}901.xml" ContentType="{kind}.{part}+xml"/>'
        for part in ("header", "footer")
    )
    return types.replace("</Types>", own + "</Types>")


def _relationships(relationships: str) -> str:
    own = "".join(
        f'<Relationship Type="{_R}/{part}" Id="rId90{number}" Target="{part}901.xml"/>'
        for number, part in enumerate(("header", "footer"), start=1)
    )
    return relationships.replace("</Relationships>", own + "</Relationships>")
