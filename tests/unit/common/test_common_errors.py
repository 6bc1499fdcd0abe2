"""Errors on the wire."""

import grpc
import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from hypothesis import example, given
from hypothesis import strategies as st

from alpr.type.v1.error_reason_pb2 import ErrorReason
from services.common import errors
from services.common.errors import AlprError, FieldViolation, from_rpc_error, internal_error, to_status

KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, AlprError) and kind is not AlprError
]
TEXT = st.text(st.characters(codec="utf-8"), max_size=60)
KEYS = st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1, max_size=20)
VIOLATIONS = st.builds(FieldViolation, TEXT, TEXT)


class EntryFrozenError(AlprError):
    """An error of one service only."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = ErrorReason.ERROR_REASON_NOT_CONFIRMED


def _as_client_sees_it(error: AlprError) -> grpc.aio.AioRpcError:
    status = rpc_status.to_status(to_status(error))
    trailers = grpc.aio.Metadata(*(status.trailing_metadata or ()))
    return grpc.aio.AioRpcError(status.code, grpc.aio.Metadata(), trailers, status.details)


@st.composite
def _errors(draw: st.DrawFn) -> AlprError:
    kind: type[AlprError] = draw(st.sampled_from([*KINDS, EntryFrozenError]))
    return kind(
        draw(TEXT),
        resource=draw(TEXT),
        metadata=draw(st.dictionaries(KEYS, TEXT, max_size=5)),
        violations=draw(st.lists(VIOLATIONS, max_size=5)),
        retry_after_ms=draw(st.integers(0, 10**9)),
    )


@given(_errors())
def test_an_error_is_the_same_after_the_wire(error: AlprError) -> None:
    again = from_rpc_error(_as_client_sees_it(error))

    assert type(again) is (AlprError if isinstance(error, EntryFrozenError) else type(error))
    assert (again.code, again.reason, again.message) == (error.code, error.reason, error.message)
    assert (again.resource, dict(again.metadata)) == (error.resource, dict(error.metadata))
    assert (again.violations, again.retry_after_ms) == (error.violations, error.retry_after_ms)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_kind_of_error_comes_back_as_itself(kind: type[AlprError]) -> None:
    assert type(from_rpc_error(_as_client_sees_it(kind("it did not work")))) is kind


LONG = st.builds(str.__mul__, st.sampled_from(["f", "ä", "€"]), st.integers(1, 400))


@given(st.lists(st.builds(FieldViolation, LONG, LONG), max_size=120), TEXT)
@example([FieldViolation("f" * 40, "d" * 80)] * 120, "€")
def test_a_status_fits_into_a_trailer_and_counts_what_it_leaves_out(
    violations: list[FieldViolation], message: str
) -> None:
    error = errors.InvalidFieldError(message * 50, violations=violations)

    again = from_rpc_error(_as_client_sees_it(error))

    assert to_status(error).ByteSize() < 6500
    kept = again.violations
    if kept != tuple(violations):
        assert kept[:-1] == tuple(violations[: len(kept) - 1])
        assert kept[-1] == FieldViolation("", f"and {len(violations) - len(kept) + 1} more")


@pytest.mark.parametrize("kind", KINDS)
def test_a_status_holds_exactly_one_error_info(kind: type[AlprError]) -> None:
    status = to_status(kind("text", metadata={"clauses": "III.D.1"}))

    infos = [one for one in status.details if one.Is(error_details_pb2.ErrorInfo.DESCRIPTOR)]
    info = error_details_pb2.ErrorInfo()
    assert len(infos) == 1
    assert infos[0].Unpack(info)
    assert (info.domain, info.reason) == ("platewarden", ErrorReason.Name(kind.reason))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.code is grpc.StatusCode.UNAVAILABLE])
def test_whatever_is_unavailable_says_when_to_try_again(kind: type[AlprError]) -> None:
    status = to_status(kind("away"))

    assert any(one.Is(error_details_pb2.RetryInfo.DESCRIPTOR) for one in status.details)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (grpc.StatusCode.UNAVAILABLE, errors.DependencyUnavailableError),
        (grpc.StatusCode.DEADLINE_EXCEEDED, errors.DeadlineError),
        (grpc.StatusCode.UNIMPLEMENTED, errors.InternalError),
        (grpc.StatusCode.CANCELLED, errors.DependencyUnavailableError),
    ],
)
def test_a_failure_of_the_transport_is_typed_and_names_no_address(
    code: grpc.StatusCode, kind: type[AlprError]
) -> None:
    failure = grpc.aio.AioRpcError(
        code, grpc.aio.Metadata(), grpc.aio.Metadata(), "ipv4:10.1.2.3:7401 refused"
    )

    error = from_rpc_error(failure)

    assert type(error) is kind
    assert "10.1.2.3" not in str(error)


def test_details_of_another_domain_are_not_taken_for_ours() -> None:
    status = to_status(errors.NotPermittedError("no"))
    foreign = AnyMessage()
    foreign.Pack(error_details_pb2.ErrorInfo(reason="ERROR_REASON_NOT_PERMITTED", domain="elsewhere"))
    status.details[0].CopyFrom(foreign)
    made = rpc_status.to_status(status)
    failure = grpc.aio.AioRpcError(
        made.code, grpc.aio.Metadata(), grpc.aio.Metadata(*made.trailing_metadata), "no"
    )

    assert type(from_rpc_error(failure)) is errors.InternalError


def test_trailers_that_contradict_the_code_are_not_believed() -> None:
    made = rpc_status.to_status(to_status(errors.NotPermittedError("no")))
    trailers = grpc.aio.Metadata(*made.trailing_metadata)
    failure = grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, grpc.aio.Metadata(), trailers, "no")

    assert type(from_rpc_error(failure)) is errors.DependencyUnavailableError


def test_a_reason_of_a_newer_service_keeps_its_code() -> None:
    status = to_status(errors.NotPermittedError("no"))
    newer = AnyMessage()
    newer.Pack(error_details_pb2.ErrorInfo(reason="ERROR_REASON_OF_NEXT_YEAR", domain="platewarden"))
    status.details[0].CopyFrom(newer)
    made = rpc_status.to_status(status)
    trailers = grpc.aio.Metadata(*made.trailing_metadata)

    error = from_rpc_error(grpc.aio.AioRpcError(made.code, grpc.aio.Metadata(), trailers, "no"))

    assert (error.code, error.reason) == (
        grpc.StatusCode.PERMISSION_DENIED,
        ErrorReason.ERROR_REASON_UNSPECIFIED,
    )


def test_an_unforeseen_error_says_only_where_to_look() -> None:
    error = internal_error("7e57")

    assert error.metadata == {"request_id": "7e57"}
    assert error.code is grpc.StatusCode.INTERNAL
