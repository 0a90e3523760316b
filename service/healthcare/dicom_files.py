"""DICOM files, read whole or not at all."""

from __future__ import annotations

import io
import zlib
from pathlib import Path
from typing import Any

from hepagraph.ontology.errors import CaseError, Problem

INFLATED = 64 * 2**20  # bytes that a deflated file may come to: zeros would come to a thousand times their size
_PREAMBLE = 128 + 4  # bytes before the meta information: nothing, and "DICM"
_GROUP_LENGTH = 12  # bytes of the element of the meta information that says how many follow it there


def decoded(document: Any, pixels: bool = True) -> Any:
    """Return a data set, or that of a file, of which every element can be decoded.

    Decoding is put off until an element is asked for, and what pydicom raises of broken bytes is of no common kind: so
    all of it is asked for here, and whatever is raised means that this is no sound file.

    Parameters
    ----------
    document
        A pydicom data set, or the path of a file.
    pixels
        Whether what begins with the pixels of a file is wanted too.

    Raises
    ------
    CaseError
        There is no such file, or it is not a sound one of DICOM.
    """
    from pydicom.dataset import Dataset
    from pydicom.errors import InvalidDicomError

    place = str(document) if isinstance(document, str | Path) else "document"
    try:
        found = document if isinstance(document, Dataset) else _read(Path(document), pixels)
        for element in found.iterall():
            _ = element.value
        return found
    except InvalidDicomError:
        what = "is not a DICOM file"
    except FileNotFoundError:
        what = "there is no such file"
    except Exception as error:  # see above
        what = f"cannot be read: {str(error)[:200] or type(error).__name__}"
    raise CaseError([Problem("file", place, what)])


def _read(path: Path, pixels: bool) -> Any:
    from pydicom.filereader import dcmread, read_file_meta_info
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    about = read_file_meta_info(path)
    if about.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian:
        return _inflated(path.read_bytes(), about)
    return dcmread(path, stop_before_pixels=not pixels)


def _inflated(content: bytes, about: Any) -> Any:
    """Return the data set of a deflated file; pydicom would inflate it to whatever size it comes to.

    Raises
    ------
    ValueError
        It comes to more than ``INFLATED``, or does not say where its data begin.
    """
    from pydicom.filereader import read_dataset

    length = about.get("FileMetaInformationGroupLength")
    if length is None:
        raise ValueError("it is deflated and does not say where its data begin")
    packed = content[_PREAMBLE + _GROUP_LENGTH + length :]
    data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, INFLATED + 1)
    if len(data) > INFLATED:
        raise ValueError(f"it is deflated and comes to more than {INFLATED // 2**20} MiB")
    found = read_dataset(io.BytesIO(data), is_implicit_VR=False, is_little_endian=True)
    found.file_meta = about
    return found
