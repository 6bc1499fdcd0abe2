"""Reviews of what may be misuse (ENF-051 III.C.2.d, IV.A.2). A flag is never a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from alpr.audit.v1 import review_service_pb2 as pb
from alpr.audit.v1 import review_service_pb2_grpc as rpc
from services.common.errors import AlprError, FieldViolation, InvalidFieldError
from services.console import words
from services.console.auditor import people
from services.console.door import Door, Person

_ROWS = 50


def routes(door: Door) -> Sequence[Route]:
    """The reviews, and what is done with one."""
    return (
        Route("/auditor/reviews", door.page(_show), methods=["GET"]),
        Route("/auditor/reviews/open", door.page(_open), methods=["POST"]),
        Route("/auditor/reviews/take", door.page(_take), methods=["POST"]),
        Route("/auditor/reviews/close", door.page(_close), methods=["POST"]),
        Route("/auditor/reviews/sign", door.page(_sign), methods=["POST"]),
    )


async def _show(request: Request, person: Person) -> Response:
    values = await _page(
        person, every="all" in request.query_params, token=request.query_params.get("page", "")
    )
    return await person.show("auditor/reviews.html", sentence="", fields=(), clauses="", **values)


async def _open(_request: Request, person: Person) -> Response:
    """Opens a review for another reason than a flag."""
    who, wrong = person.field("who"), "Nobody of the agency has that name, badge number or account."
    found = [who] if people.is_id(who) else [one.account_id for one in await people.matching(person, who)]
    if len(found) != 1:
        wrong = f"{len(found)} people are meant by that; write the badge number." if found else wrong
        violation = [FieldViolation("account_id", wrong)]
        return await _refused(person, InvalidFieldError("the person is not clear", violations=violation))
    request = pb.OpenReviewRequest(
        request_id=person.field("request_id"), account_id=found[0], reason=person.field("reason")
    )
    return await _done(person, "OpenReview", request)


async def _take(_request: Request, person: Person) -> Response:
    return await _done(person, "TakeReview", pb.TakeReviewRequest(**_ids(person)))


async def _close(_request: Request, person: Person) -> Response:
    """States what was found; somebody else signs it."""
    findings = {str(number): number for number in pb.ReviewFinding.values()}
    request = pb.CloseReviewRequest(
        **_ids(person),
        finding=findings.get(person.field("finding"), pb.REVIEW_FINDING_UNSPECIFIED),
        explanation=person.field("explanation"),
        sanction_reference=person.field("sanction_reference"),
    )
    return await _done(person, "CloseReview", request)


async def _sign(_request: Request, person: Person) -> Response:
    return await _done(person, "SignReview", pb.SignReviewRequest(**_ids(person)))


def _ids(person: Person) -> dict[str, Any]:
    return {name: person.field(name) for name in ("request_id", "review_id")}


async def _done(person: Person, name: str, request: Any) -> Response:
    try:
        await person.call(rpc.ReviewServiceStub, name, request)
    except AlprError as error:
        return await _refused(person, error)
    return RedirectResponse("/auditor/reviews?all", 303)


async def _refused(person: Person, error: AlprError) -> Response:
    return await person.refused(error, "auditor/reviews.html", **await _page(person, every=True))


async def _page(person: Person, *, every: bool, token: str = "") -> dict[str, Any]:
    request = pb.ListReviewsRequest(page_size=_ROWS, page_token=token, open_only=not every)
    listed = await person.call(rpc.ReviewServiceStub, "ListReviews", request)
    ids = [one for row in listed.reviews for one in (row.reviewer_account_id, row.signer_account_id)]
    return {
        "title": "Reviews",
        "section": "/auditor",
        "reviews": listed.reviews,
        "next_page": listed.next_page_token,
        "every": every,
        "names": await people.names_of(person, ids),
        "findings": words.choices(pb.ReviewFinding),
        "acted": person.field("review_id") if person.form else "",
        "written": {
            name: person.field(name) if person.form else ""
            for name in ("who", "reason", "finding", "explanation", "sanction_reference")
        },
    }
