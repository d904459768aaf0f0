"""Makes bodies that are meant to hurt the program that parses them; none is large on the wire."""

from collections.abc import Callable, Mapping


def _deep_xml() -> bytes:
    return b'<?xml version="1.0"?>' + b"<a>" * 100_000 + b"</a>" * 100_000


def _entity_bomb() -> bytes:
    entities = "".join(f'<!ENTITY e{level} "{f"&e{level - 1};" * 10}">' for level in range(1, 10))
    return (
        '<?xml version="1.0"?><!DOCTYPE smsreport [<!ENTITY e0 "ha">'
        f"{entities}]><smsreport>&e9;</smsreport>"
    ).encode()


def _external_entity() -> bytes:
    return (
        b'<?xml version="1.0"?><!DOCTYPE smsreport [<!ENTITY e SYSTEM "file:///etc/hostname">]>'
        b"<smsreport><psreport><mobile>&e;</mobile></psreport></smsreport>"
    )


def _nuls() -> bytes:
    return b"100" + b"\x00" * 1000


def _many_fields() -> bytes:
    pairs = ",".join(f'"f{number}":{number}' for number in range(10_000))
    return f'{{"code":"00",{pairs}}}'.encode()


def _deep_json() -> bytes:
    return b'{"code":"00","data":' + b"[" * 100_000 + b"]" * 100_000 + b"}"


def _long_number() -> bytes:
    return b'{"code":' + b"9" * 10_000 + b"}"


#: By name: the content type, and a function that makes the body.
BODIES: Mapping[str, tuple[str, Callable[[], bytes]]] = {
    "deep_xml": ("text/xml", _deep_xml),
    "entity_bomb": ("text/xml", _entity_bomb),
    "external_entity": ("text/xml", _external_entity),
    "nuls": ("text/plain", _nuls),
    "many_fields": ("application/json", _many_fields),
    "deep_json": ("application/json", _deep_json),
    "long_number": ("application/json", _long_number),
}
