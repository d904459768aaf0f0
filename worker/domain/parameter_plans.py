"""Read and write how an account takes values: `code,minutes`, or `验证码=code,minutes`.

An item names a value of the template; what stands before its `=` is the vendor's name of it, which
is the same where it is left out. Plans by position have no names of the vendor's: there the order
is all. A full-width comma or equals sign, as Chinese keyboards write, is read as a plain one.
"""

import re
from collections.abc import Iterator

from worker.domain import placeholders
from worker.domain.enums import PlanKind
from worker.domain.errors import Problem, Refused
from worker.domain.renderings import ParameterPlan

#: The longest name that a vendor may have for a value, in characters.
MAX_NAME_LENGTH = 64
#: What no name holds: what separates names, and what nobody sees.
_UNFIT = re.compile(r"[,=，＝\x00-\x1f\x7f]")
_WHERE = "parameters"


def parse(kind: PlanKind, parameters: str | None, body: str) -> ParameterPlan:
    """Return the plan that `parameters` describes, for a template's body.

    None, or a blank text, is the body's own names in the order in which it has them. Raises
    `Refused` with every problem.
    """
    if kind is PlanKind.TEXT:
        if parameters and parameters.strip():
            what = "has to be left out: the plan `text` fills the values in here"
            raise Refused([Problem(_WHERE, what)])
        return ParameterPlan(kind)
    if parameters is None or not parameters.strip():
        pairs = [("", name) for name in placeholders.ordered_names(body)]
    else:
        pairs = list(_pairs(parameters))
    names = tuple(
        (str(position) if kind is PlanKind.POSITIONS and not theirs else theirs or ours, ours)
        for position, (theirs, ours) in enumerate(pairs, start=1)
    )
    problems = _form_problems(kind, pairs)
    plan = ParameterPlan(kind, names)
    problems = problems or plan_problems(plan, body)
    if problems:
        raise Refused(problems)
    return plan


def show(plan: ParameterPlan) -> str:
    """Return a plan's names as `parse` reads them."""
    return ",".join(
        ours if plan.kind is PlanKind.POSITIONS or theirs == ours else f"{theirs}={ours}"
        for theirs, ours in plan.names
    )


def plan_problems(plan: ParameterPlan, body: str) -> list[Problem]:
    """Return what is wrong with a plan for a body: a value without a place, a name without one."""
    if plan.kind is PlanKind.TEXT:
        return []
    known = placeholders.ordered_names(body)
    given = [ours for _, ours in plan.names]
    strange = [name for name in dict.fromkeys(given) if name not in known]
    missing = [name for name in known if name not in given]
    have = f"the template has {', '.join(known) or 'no values'}"
    problems = [
        Problem(_WHERE, f"there is no value {name[:MAX_NAME_LENGTH]!r}; {have}") for name in strange
    ]
    problems += [
        Problem(_WHERE, f"the value {name!r} has no place; write all of {', '.join(known)}")
        for name in missing
    ]
    theirs = [name for name, _ in plan.names]
    problems += [
        Problem(_WHERE, f"the vendor's name {name!r} stands there twice; each takes one value")
        for name in dict.fromkeys(theirs)
        if theirs.count(name) > 1
    ]
    return problems


def _pairs(parameters: str) -> Iterator[tuple[str, str]]:
    """Yield each item as the vendor's name ("" where none is written) and the template's."""
    for item in parameters.replace("，", ",").replace("＝", "=").split(","):
        theirs, equals, ours = item.partition("=")
        yield (theirs.strip(), ours.strip()) if equals else ("", item.strip())


def _form_problems(kind: PlanKind, pairs: list[tuple[str, str]]) -> list[Problem]:
    """Return the problems of items that are not written as they should be."""
    problems = []
    for position, (theirs, ours) in enumerate(pairs, start=1):
        if not ours or _UNFIT.search(ours) or _UNFIT.search(theirs):
            form = "name" if kind is PlanKind.POSITIONS else "name, or vendor's=name"
            what = f"item {position} is none: write each as {form}, with commas between"
            problems.append(Problem(_WHERE, what))
        elif theirs and kind is PlanKind.POSITIONS:
            what = (
                f"item {position} has a vendor's name, and `positions` has none: the order is all"
            )
            problems.append(Problem(_WHERE, what))
        elif len(theirs) > MAX_NAME_LENGTH:
            what = f"item {position} has a vendor's name of more than {MAX_NAME_LENGTH} characters"
            problems.append(Problem(_WHERE, what))
    return problems
