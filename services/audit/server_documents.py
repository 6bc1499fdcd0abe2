"""Servicer of alpr.audit.v1: documents and their acknowledgement."""

from __future__ import annotations

from alpr.audit.v1 import document_service_pb2 as pb
from alpr.audit.v1 import document_service_pb2_grpc as rpc
from services.audit import wire, wire_documents
from services.audit.app_documents import Documents
from services.audit.callers import call_of
from services.common.identity import Context

_FIRST = ("", "00000000-0000-0000-0000-000000000000")


class DocumentServicer(rpc.DocumentServiceServicer):
    """Documents."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    async def PublishDocument(
        self, request: pb.PublishDocumentRequest, context: Context
    ) -> pb.PublishDocumentResponse:
        """See document_service.proto."""
        call, given = call_of(context, request.request_id), wire_documents.parse_publish(request)
        made = await self._documents.publish(call, given)
        return pb.PublishDocumentResponse(document=wire_documents.document(made))

    async def ListDocuments(
        self, request: pb.ListDocumentsRequest, context: Context
    ) -> pb.ListDocumentsResponse:
        """See document_service.proto."""
        found = await self._documents.listed(call_of(context))
        return pb.ListDocumentsResponse(documents=map(wire_documents.listed, found))

    async def AcknowledgeDocument(
        self, request: pb.AcknowledgeDocumentRequest, context: Context
    ) -> pb.AcknowledgeDocumentResponse:
        """See document_service.proto."""
        call = call_of(context, request.request_id)
        done = await self._documents.acknowledge(call, wire_documents.parse_acknowledge(request))
        return pb.AcknowledgeDocumentResponse(document=wire_documents.listed(done))

    async def ListAcknowledgements(
        self, request: pb.ListAcknowledgementsRequest, context: Context
    ) -> pb.ListAcknowledgementsResponse:
        """See document_service.proto."""
        document_id = wire_documents.parse_document_id(request.document_id)
        size = wire.parse_page_size(request.page_size, usual=100, most=500)
        name, account_id = wire.parse_page_token(request.page_token, _FIRST)
        found = await self._documents.readers(call_of(context), document_id, (name, account_id), size + 1)
        last = found[size - 1] if len(found) > size else None
        return pb.ListAcknowledgementsResponse(
            acknowledgements=map(wire_documents.reading, found[:size]),
            next_page_token=wire.page_token(last.full_name, last.account_id) if last else "",
        )
