"""Whether the value labels of a statistical file are those of the data dictionary."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ccp_analysis.cleaning.sheet import Sheet
from ccp_analysis.config.dictionary import Column, key_of
from ccp_analysis.config.reading import first_of
from ccp_analysis.errors import few
from ccp_analysis.layout import DICTIONARY


def check_labels(sheet: Sheet, columns: Sequence[Column]) -> Sheet:
    """Return the sheet, with a remark for each column whose labels the dictionary does not know.

    Raises
    ------
    StudyError
        If a file labels a value that is a code of the dictionary as it labels another code;
        `faults` lists all.
    """
    faults, remarks = [], []
    for column in columns:
        if not column.codes:
            continue
        unknown = []
        for text, label, code, by_label in _coded(sheet, column):
            named = f"{code}={(column.codes[code] or [code])[0]}"
            if by_label is None:
                unknown.append(f"{text} is '{label}' ({named})")
            elif by_label != code:
                faults.append(
                    f"{sheet.path}, column '{column.column}': the file itself labels {text} as "
                    f"'{label}', which by {DICTIONARY} is {by_label} ({named}); find out which is "
                    "right and correct the other."
                )
        if unknown:
            remarks.append(
                f"labels of '{column.column}' in the file that the dictionary does not know: "
                f"{few(unknown)}"
            )
    if faults:
        raise first_of(faults)
    return replace(sheet, remarks=(*sheet.remarks, *remarks)) if remarks else sheet


def _coded(sheet: Sheet, column: Column) -> Iterator[tuple[str, str, str, str | None]]:
    """Yield labelled values that are codes: text, label, code, and the code that the label means.

    The last is None where the dictionary does not know the label.
    """
    meanings = column.meanings()
    reasons = {key_of(spelling) for pair in column.missing.items() for spelling in pair}
    declared = sheet.missing.get(column.column, {})
    for text, label in sheet.labels.get(column.column, {}).items():
        code = meanings.get(key_of(text))
        gone = text in declared or {key_of(text), key_of(label)} & reasons
        if code is not None and not gone:
            yield text, label, code, meanings.get(key_of(label))
