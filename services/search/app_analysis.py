"""Use cases: questions that no single read answers, put by the road of all questions (ENF-051 IV.C.3)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from services.search.asking import Asking
from services.search.road import Answered, Put, QuestionRoad, RoadRequest

_Result = TypeVar("_Result")
_Result_co = TypeVar("_Result_co", covariant=True)


class AnalysisQuestion(Protocol[_Result_co]):
    """A question of core, with what it makes of what the archive counted."""

    @property
    def kind(self) -> str:
        """As audit and archive.find_<kind> know it."""

    def arguments(self) -> tuple[tuple[str, str], ...]:
        """Names and values as they are recorded."""

    def values(self) -> tuple[object, ...]:
        """Arguments of archive.find_<kind>."""

    def weigh(self, evidence: Mapping[str, Any]) -> _Result_co:
        """The result of what the archive counted."""


@dataclass(frozen=True, slots=True)
class Analysed(Generic[_Result]):
    """A result, and the question that audit has recorded for it."""

    answered: Answered
    result: _Result


class Analysis:
    """Puts analyses, a few at a time: one may take seconds, and others ask for a plate meanwhile."""

    def __init__(self, road: QuestionRoad, at_once: int) -> None:
        self._road = road
        self._free = asyncio.Semaphore(at_once)

    async def answer(self, asking: Asking, question: AnalysisQuestion[_Result]) -> Analysed[_Result]:
        """The result; audit has recorded question and outcome. Errors as for `QuestionRoad.ask`."""
        request = RoadRequest(
            request_id=asking.request_id,
            token=asking.token,
            justification=asking.justification,
            kind=question.kind,
            arguments=question.arguments(),
            from_time=asking.from_time,
            to_time=asking.to_time,
            page_size=asking.page_size,
            first_authorization_id="",
            put=Put(f"find_{question.kind}", question.values()),
            own_agency_only=asking.own_agency_only,
        )
        async with self._free:
            answered = await self._road.ask(request)
            evidence = await self._road.computed(answered)
        return Analysed(answered, question.weigh(evidence))
