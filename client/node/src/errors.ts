// Errors of the client, and how they are made of what comes over the wire. No text here holds a plate, a token or an address.

import { fromBinary } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { type ServiceError, status } from "@grpc/grpc-js";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "./gen/google/rpc/error_details_pb.js";
import { type Status, StatusSchema } from "./gen/google/rpc/status_pb.js";

const DOMAIN = "platewarden";
const DETAILS = "grpc-status-details-bin";
export const BAD_TOKEN = "ERROR_REASON_BAD_TOKEN";
export const EPOCH_CHANGED = "ERROR_REASON_EPOCH_CHANGED";
export const ENTITLEMENT_ENDED = "ERROR_REASON_ENTITLEMENT_ENDED";
const UNENTITLED: ReadonlySet<status> = new Set([status.UNAUTHENTICATED, status.PERMISSION_DENIED]);
// Trying again does not mend these. Everything else may pass: a replica that stops, a database that is away, a subscriber
// that was too slow, a proxy that cut the line.
const FINAL: ReadonlySet<status> = new Set([
  ...UNENTITLED,
  status.INVALID_ARGUMENT,
  status.FAILED_PRECONDITION,
  status.NOT_FOUND,
  status.UNIMPLEMENTED,
  status.OUT_OF_RANGE,
]);

/** Any error of this package. */
export class PlatewardenError extends Error {
  override get name(): string {
    return this.constructor.name;
  }
}

/** The file of the resume token cannot be read or written, or is damaged. Nothing was skipped. */
export class ResumeFileError extends PlatewardenError {}

/** The service refused, and trying again does not mend it. */
export class RefusedError extends PlatewardenError {
  /** gRPC's code. */
  readonly code: status;
  /** A name of the contract's ErrorReason; "" when the service gave none. */
  readonly reason: string;
  /** Its facts for machines. */
  readonly metadata: Readonly<Record<string, string>>;
  /** The fields of the request to change. */
  readonly fields: readonly string[];

  constructor(failure: Failure) {
    super(failure.message || failure.reason || status[failure.code]);
    this.code = failure.code;
    this.reason = failure.reason;
    this.metadata = failure.metadata;
    this.fields = failure.fields;
  }
}

/**
 * The person may not follow alerts, or no longer: sign-in over, account suspended, certification lapsed. Sign in again
 * and open a new stream with the same resume file: it goes on where this one stopped.
 */
export class EntitlementEndedError extends RefusedError {}

/**
 * The resume token is not this account's or not this system's, so where to go on is not known. Whoever knows that
 * nothing is lost by it removes the resume file and begins anew.
 */
export class ResumeRefusedError extends RefusedError {}

/** Why a stream ended, as the service or the transport said it. */
export interface Failure {
  readonly code: status;
  readonly message: string;
  readonly reason: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly fields: readonly string[];
  readonly retryMs: number;
}

/** A failure of which no more than its code is known. */
export function bareFailure(code: status, message = ""): Failure {
  return { code, message, reason: "", metadata: {}, fields: [], retryMs: 0 };
}

/** What `error` says. Of a failure that is not the service's own the code alone is kept. */
export function failureOf(error: ServiceError): Failure {
  const said = statusOf(error);
  const info = said?.details.map((one) => anyUnpack(one, ErrorInfoSchema)).find((one) => one !== undefined);
  if (said === undefined || info === undefined || info.domain !== DOMAIN) {
    return bareFailure(error.code);
  }
  const wrong = said.details.map((one) => anyUnpack(one, BadRequestSchema)).find((one) => one !== undefined);
  const retry = said.details.map((one) => anyUnpack(one, RetryInfoSchema)).find((one) => one !== undefined)?.retryDelay;
  return {
    code: error.code,
    message: said.message,
    reason: info.reason,
    metadata: info.metadata,
    fields: wrong?.fieldViolations.map((one) => one.field) ?? [],
    retryMs: retry ? Number(retry.seconds) * 1000 + retry.nanos / 1e6 : 0,
  };
}

/** Whether trying again is in vain. */
export function isFinal(failure: Failure): boolean {
  return FINAL.has(failure.code);
}

/** The error to throw for `failure`. */
export function errorOf(failure: Failure): RefusedError {
  if (UNENTITLED.has(failure.code)) {
    return new EntitlementEndedError(failure);
  }
  return failure.reason === BAD_TOKEN ? new ResumeRefusedError(failure) : new RefusedError(failure);
}

function statusOf(error: ServiceError): Status | undefined {
  const bytes = error.metadata?.get(DETAILS)[0];
  if (!Buffer.isBuffer(bytes)) {
    return undefined;
  }
  try {
    return fromBinary(StatusSchema, bytes);
  } catch {
    // Not made by the service: what is left is the code.
    return undefined;
  }
}
