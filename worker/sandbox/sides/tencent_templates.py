"""Judges templates, signatures and values as Tencent Cloud SMS does, and writes the text."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

_LINK = re.compile(r"https?://|www\.", re.IGNORECASE)
_DIGITS = re.compile(r"[0-9]{0,6}")


def text(fields: Mapping[str, Any], options: Mapping[str, Any]) -> tuple[str, str]:
    """Return the text that is read, and the code of why there is none; "" for one of them."""
    template, sign = str(fields.get("TemplateId", "")), str(fields.get("SignName", ""))
    values = fields.get("TemplateParamSet", [])
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        return "", "FailedOperation.JsonParseFail"
    signatures, templates = options["signatures"], options["templates"]
    if not sign or (signatures and sign not in signatures):
        return "", "FailedOperation.SignatureIncorrectOrUnapproved"
    if not template or (templates and template not in templates):
        return "", "FailedOperation.TemplateIncorrectOrUnapproved"
    body = templates.get(template, "，".join(f"{{{n}}}" for n in range(1, len(values) + 1)))
    code = _value_fault(template, values, options)
    if len(set(re.findall(r"\{\d+\}", body))) != len(values):
        code = code or "FailedOperation.TemplateParamSetNotMatchApprovedTemplate"
    if code:
        return "", code
    filled = re.sub(r"\{(\d+)\}", lambda hole: str(values[int(hole[1]) - 1]), body)
    return f"【{sign}】{filled}", ""


def _value_fault(template: str, values: Sequence[str], options: Mapping[str, Any]) -> str:
    """Return the code of what is wrong with the values; "" where nothing is."""
    if any(_LINK.search(value) for value in values):
        return "InvalidParameterValue.ProhibitedUseUrlInTemplateParameter"
    if template in options["code_templates"] and not all(map(_DIGITS.fullmatch, values)):
        return "InvalidParameterValue.TemplateParameterFormatError"
    return ""
