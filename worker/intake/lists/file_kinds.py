"""Tell files that are no text by how they begin, and say what to do with them."""

from worker.domain.errors import Problem, Refused

_AS_CSV = "open it in a spreadsheet and save it as .xlsx or as CSV UTF-8"
#: How files begin that people take for lists, with what they are.
_STARTS = (
    (b"\xd0\xcf\x11\xe0", f"an Excel workbook of the old kind (.xls), or a locked one; {_AS_CSV}"),
    (b"%PDF", "a PDF; copy its table into a spreadsheet and save that as .xlsx"),
    (b"\x1f\x8b", "compressed (gzip); unpack it"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive; unpack it"),
    (b"Rar!", "a RAR archive; unpack it"),
    (b"{\\rtf", f"a text document (RTF); {_AS_CSV}"),
    (b"SQLite format 3", "a database (SQLite); export the table as CSV"),
)
#: The same for text, in lower case and without blanks before.
_TEXT_STARTS = (
    (("<!doctype html", "<html", "<table", "<meta"), f"a web page (HTML); {_AS_CSV}"),
    (("<?xml", "<workbook"), f"XML; {_AS_CSV}"),
    (('{"', "[{", '["', "{\n"), "JSON; give its rows to the API, or save them as CSV"),
    (("begin:vcard",), "address cards (vCard); export them as CSV"),
)
ZIP_START = b"PK\x03\x04"


def is_zip(head: bytes) -> bool:
    """Tell whether a file is a zip archive, as workbooks are; one may be empty."""
    return head.startswith((ZIP_START, b"PK\x05\x06"))


def require_text(head: bytes) -> None:
    """Raise `Refused` when a file that begins so is known to be no list."""
    readable = head.replace(b"\0", b"").decode("utf-8-sig", "ignore").lstrip("\ufeff \t\r\n")
    kinds = [kind for start, kind in _STARTS if head.startswith(start)]
    kinds += [kind for starts, kind in _TEXT_STARTS if readable.lower().startswith(starts)]
    if kinds:
        raise Refused([Problem("recipients", f"the file is {kinds[0]}")])
