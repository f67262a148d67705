"""Files in a ZIP file whose bytes depend on their names and contents alone.

Names in order, one time for all (the first that ZIP can hold), permissions by rule. What gets
smaller is deflated, which every system unpacks, by the zlib within pyarrow: that of Python differs
from one system to the next, and so would the bytes. pyarrow is pinned in the lock, and the lock is
in the archive.
"""

from __future__ import annotations

import binascii
import hashlib
import struct
from collections.abc import Collection, Mapping
from pathlib import Path

import pyarrow as pa

from ccp_analysis.errors import StudyError

FIRST_DAY = 0 << 9 | 1 << 5 | 1  # 1 January 1980, as ZIP writes it
UNIX = 3  # wherever it is written, so that permissions are read
UTF8 = 1 << 11
STORED, DEFLATED = 0, 8
VERSION = 20
MOST = 2**32 - 1  # bytes, without the extension for larger files
LEVEL = 9


def manifest(content: Mapping[str, bytes]) -> bytes:
    """Return a list of the files with their SHA-256, as ``sha256sum --check`` reads it.

    Parameters
    ----------
    content : dict
        Name → content.

    Returns
    -------
    bytes
        One line for each file, sorted by name.
    """
    lines = (f"{hashlib.sha256(content[name]).hexdigest()}  {name}\n" for name in sorted(content))
    return "".join(lines).encode()


def write_zip(
    target: Path, top: str, content: Mapping[str, bytes], executable: Collection[str] = ()
) -> None:
    """Write files into a ZIP file.

    Parameters
    ----------
    target : Path
        The file to write.
    top : str
        The one folder in which everything stands.
    content : dict
        Name within that folder → content.
    executable : collection of str
        Names of what may be run as a program.

    Raises
    ------
    StudyError
        If there is more than a ZIP file without extensions can hold.
    """
    directory = b""
    with target.open("wb") as file:
        for name in sorted(content):
            packed, method = _smaller(content[name])
            path, at = f"{top}/{name}".encode(), file.tell()
            if max(len(content[name]), at + len(packed) + len(directory)) > MOST - MOST // 100:
                raise StudyError(
                    f"{name}: with it the archive has more than 4 GB, the most of ZIP."
                )
            flags = 0 if path.isascii() else UTF8
            common = struct.pack(
                *("<HHHHHLLLHH", VERSION, flags, method, 0, FIRST_DAY),
                *(binascii.crc32(content[name]), len(packed), len(content[name]), len(path), 0),
            )
            file.write(b"PK\x03\x04" + common + path + packed)
            rights = (0o100755 if name in executable else 0o100644) << 16
            made = struct.pack("<H", UNIX << 8 | VERSION)
            rest = struct.pack("<HHHLL", 0, 0, 0, rights, at)
            directory += b"PK\x01\x02" + made + common + rest + path
        at, count = file.tell(), len(content)
        if count >= 2**16:
            raise StudyError(f"{count} files are more than the 65535 that a ZIP file can have.")
        file.write(directory)
        end = struct.pack("<HHHHLLH", 0, 0, count, count, len(directory), at, 0)
        file.write(b"PK\x05\x06" + end)


def _smaller(content: bytes) -> tuple[bytes, int]:
    """Return content deflated where that is smaller, and how it is packed."""
    codec = pa.Codec("gzip", compression_level=LEVEL)
    packed = codec.compress(content, asbytes=True)[10:-8]  # without the head and the end of gzip
    return (packed, DEFLATED) if len(packed) < len(content) else (content, STORED)
