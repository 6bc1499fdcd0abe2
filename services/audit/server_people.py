"""Servicer of alpr.audit.v1 that people call: accounts."""

from __future__ import annotations

from alpr.audit.v1 import account_service_pb2 as account_pb
from alpr.audit.v1 import account_service_pb2_grpc as account_rpc
from services.audit import wire, wire_registry
from services.audit.app_accounts import Accounts
from services.audit.app_profiles import Profiles
from services.audit.callers import call_of
from services.audit.core.person import Account
from services.common.identity import Context

_FIRST_ACCOUNT = ("", "00000000-0000-0000-0000-000000000000")


class AccountServicer(account_rpc.AccountServiceServicer):
    """Accounts."""

    def __init__(self, accounts: Accounts, profiles: Profiles) -> None:
        self._accounts = accounts
        self._profiles = profiles

    async def CreateAccount(
        self, request: account_pb.CreateAccountRequest, context: Context
    ) -> account_pb.CreateAccountResponse:
        """See account_service.proto."""
        call, profile = call_of(context, request.request_id), wire_registry.parse_create_account(request)
        rest = wire_registry.parse_end_time(request), wire_registry.parse_exception(request)
        made = await self._accounts.create(call, profile, *rest)
        return account_pb.CreateAccountResponse(account=self._message(made))

    async def GetAccount(
        self, request: account_pb.GetAccountRequest, context: Context
    ) -> account_pb.GetAccountResponse:
        """See account_service.proto."""
        found = await self._accounts.get(call_of(context), wire_registry.parse_account_id(request.account_id))
        return account_pb.GetAccountResponse(account=self._message(found))

    async def ListAccounts(
        self, request: account_pb.ListAccountsRequest, context: Context
    ) -> account_pb.ListAccountsResponse:
        """See account_service.proto."""
        size = wire.parse_page_size(request.page_size, usual=50, most=200)
        name, account_id = wire.parse_page_token(request.page_token, _FIRST_ACCOUNT)
        found = await self._accounts.page(call_of(context), (name, account_id), size + 1)
        last = found[size - 1] if len(found) > size else None
        return account_pb.ListAccountsResponse(
            accounts=map(self._message, found[:size]),
            next_page_token=wire.page_token(last.profile.full_name, last.account_id) if last else "",
        )

    async def RecordCertification(
        self, request: account_pb.RecordCertificationRequest, context: Context
    ) -> account_pb.RecordCertificationResponse:
        """See account_service.proto."""
        call, certification = call_of(context, request.request_id), wire_registry.parse_certification(request)
        changed = await self._accounts.certify(call, request.account_id, certification)
        return account_pb.RecordCertificationResponse(account=self._message(changed))

    async def GrantRole(
        self, request: account_pb.GrantRoleRequest, context: Context
    ) -> account_pb.GrantRoleResponse:
        """See account_service.proto."""
        call, role = call_of(context, request.request_id), wire_registry.parse_role(request)
        changed = await self._accounts.grant(call, request.account_id, role)
        return account_pb.GrantRoleResponse(account=self._message(changed))

    async def RevokeRole(
        self, request: account_pb.RevokeRoleRequest, context: Context
    ) -> account_pb.RevokeRoleResponse:
        """See account_service.proto."""
        call, role = call_of(context, request.request_id), wire_registry.parse_role(request)
        changed = await self._accounts.revoke(call, request.account_id, role)
        return account_pb.RevokeRoleResponse(account=self._message(changed))

    async def GrantNonAgencyAccess(
        self, request: account_pb.GrantNonAgencyAccessRequest, context: Context
    ) -> account_pb.GrantNonAgencyAccessResponse:
        """See account_service.proto."""
        call, vetting = call_of(context, request.request_id), wire_registry.parse_vetting(request)
        changed = await self._accounts.vet(call, request.account_id, vetting)
        return account_pb.GrantNonAgencyAccessResponse(account=self._message(changed))

    async def RevokeNonAgencyAccess(
        self, request: account_pb.RevokeNonAgencyAccessRequest, context: Context
    ) -> account_pb.RevokeNonAgencyAccessResponse:
        """See account_service.proto."""
        call, reason = call_of(context, request.request_id), wire_registry.parse_reason(request)
        changed = await self._accounts.unvet(call, request.account_id, reason)
        return account_pb.RevokeNonAgencyAccessResponse(account=self._message(changed))

    async def ExtendEmailException(
        self, request: account_pb.ExtendEmailExceptionRequest, context: Context
    ) -> account_pb.ExtendEmailExceptionResponse:
        """See account_service.proto."""
        call, given = call_of(context, request.request_id), wire_registry.parse_extended(request)
        changed = await self._accounts.except_email(call, request.account_id, given)
        return account_pb.ExtendEmailExceptionResponse(account=self._message(changed))

    async def EnableAccount(
        self, request: account_pb.EnableAccountRequest, context: Context
    ) -> account_pb.EnableAccountResponse:
        """See account_service.proto."""
        call = call_of(context, request.request_id)
        wire_registry.check_enable(request)
        changed = await self._accounts.enable(call, request.account_id)
        return account_pb.EnableAccountResponse(account=self._message(changed))

    async def SuspendAccount(
        self, request: account_pb.SuspendAccountRequest, context: Context
    ) -> account_pb.SuspendAccountResponse:
        """See account_service.proto."""
        call, reason = call_of(context, request.request_id), wire_registry.parse_reason(request)
        changed = await self._accounts.suspend(call, request.account_id, reason)
        return account_pb.SuspendAccountResponse(account=self._message(changed))

    async def EndAccount(
        self, request: account_pb.EndAccountRequest, context: Context
    ) -> account_pb.EndAccountResponse:
        """See account_service.proto."""
        call, (end_time, reason) = call_of(context, request.request_id), wire_registry.parse_end(request)
        changed = await self._accounts.end(call, request.account_id, end_time, reason)
        return account_pb.EndAccountResponse(account=self._message(changed))

    async def ReviewAccount(
        self, request: account_pb.ReviewAccountRequest, context: Context
    ) -> account_pb.ReviewAccountResponse:
        """See account_service.proto."""
        call, finding = call_of(context, request.request_id), wire_registry.parse_review(request)
        changed = await self._accounts.review(call, request.account_id, finding)
        return account_pb.ReviewAccountResponse(account=self._message(changed))

    async def UpdateProfile(
        self, request: account_pb.UpdateProfileRequest, context: Context
    ) -> account_pb.UpdateProfileResponse:
        """See account_service.proto."""
        call, given = call_of(context, request.request_id), wire_registry.parse_profile(request)
        changed = await self._profiles.update(call, request.account_id, given)
        return account_pb.UpdateProfileResponse(account=self._message(changed))

    def _message(self, account: Account) -> account_pb.Account:
        return wire_registry.account(account, self._accounts.now())
