// Follows the alerts of a Platewarden system, and loses none. See `AlertStream`; the README has an example of ten lines.

export {
  EntitlementEndedError,
  PlatewardenError,
  RefusedError,
  ResumeFileError,
  ResumeRefusedError,
} from "./errors.js";
export { type AlertEvent, type Gap, type LinkState, Position } from "./events.js";
export type { Pace } from "./pace.js";
export { AlertStream, type AlertStreamOptions } from "./stream.js";
// The contract's own messages and enums.
export {
  type Alert,
  Disposition,
  type Escalation,
  EscalationKind,
  Severity,
  WithdrawReason,
} from "./gen/alpr/alerts/v1/alert_service_pb.js";
export {
  HitWarning,
  HotListCategory,
  HotListSource,
  MatchGrade,
  MatchLabel,
  type MatchedEntry,
} from "./gen/alpr/type/v1/hit_pb.js";
export { type Notice, VerificationState } from "./gen/alpr/type/v1/notice_pb.js";
