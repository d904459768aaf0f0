"""The glossary's words are the ones in worker/domain/enums.py, in their order, and no others."""

import inspect
from enum import StrEnum

import pytest

from tests.support import documents
from worker.domain import enums

PAGE = documents.read("docs/glossary.md")
VOCABULARIES: dict[str, type[StrEnum]] = {
    "Classes": enums.MessageClass,
    "States of a message": enums.MessageState,
    "States of a submission": enums.SubmissionState,
    "States of a campaign": enums.CampaignState,
    "Rows that are left out": enums.LeftOutReason,
    "Outcomes": enums.Outcome,
    "Faults": enums.Fault,
    "Advice": enums.Advice,
    "States of a registration": enums.RegistrationState,
    "Plans": enums.PlanKind,
    "Report statuses": enums.ReportStatus,
    "Meanings of replies": enums.ReplyMeaning,
    "Scopes of opt-outs": enums.OptOutScope,
    "Sources of opt-outs": enums.OptOutSource,
    "Acts of opt-outs": enums.OptOutAct,
    "Rules for texts": enums.TextRule,
    "Levels of these rules": enums.TextLevel,
    "Ways of reports": enums.Reports,
    "Kinds of numbers": enums.NumberKind,
    "Carriers": enums.Carrier,
    "Scopes": enums.Scope,
}


@pytest.mark.parametrize("heading", VOCABULARIES)
def test_a_vocabulary_is_told_word_by_word(heading: str) -> None:
    told = [documents.coded(row[0]) for row in documents.rows(documents.section(PAGE, heading))]
    assert told == [word.value for word in VOCABULARIES[heading]]


def test_every_vocabulary_is_in_the_glossary() -> None:
    closed = {
        kind
        for _, kind in inspect.getmembers(enums, inspect.isclass)
        if issubclass(kind, StrEnum) and kind is not StrEnum
    }
    assert closed == set(VOCABULARIES.values())


def test_no_word_is_explained_twice() -> None:
    things = [row[0] for row in documents.rows(documents.section(PAGE, "Things"))]
    assert len(things) == len(set(things))
    assert all(row[1] for row in documents.rows(PAGE))
