// What a stream gives.

import type { Alert } from "./gen/alpr/alerts/v1/alert_service_pb.js";

/**
 * Where in the feed an alert stands: the same again when the same alert is given again. Marks rise from alert to
 * alert and do not count. Positions from before a `Gap` do not compare with those after it.
 */
export class Position {
  constructor(
    readonly epoch: bigint,
    readonly mark: bigint,
  ) {}

  /** Whether who has done everything up to `last` has done this too. Forget `last` after a `Gap`. */
  isCoveredBy(last: Position | undefined): boolean {
    return last !== undefined && this.epoch === last.epoch && this.mark <= last.mark;
  }
}

/**
 * An alert that was raised or that changed. Alerts come at least once: after a crash the last one comes again, with
 * the same `position`.
 */
export interface AlertEvent {
  readonly kind: "raised" | "updated";
  readonly position: Position;
  readonly alert: Alert;
  /** It came in the person's quiet hours: show it without sound. Never so for the floor of felony, stolen, AMBER, SILVER. */
  readonly quiet: boolean;
}

/**
 * The stream could not go on where it stopped, and begins again at `since`. Alerts between may be missing: they are a
 * question now. Alerts after `since` may come a second time under other positions; their alert ids are the same.
 */
export interface Gap {
  readonly kind: "gap";
  readonly since: Date;
  /** The contract's: `ERROR_REASON_EPOCH_CHANGED` or `ERROR_REASON_BAD_TOKEN`. */
  readonly reason: string;
}

/**
 * How a stream stands with the service. `live`: a message came just now; the service sends one at least every 5
 * seconds. `broken`: alerts that are raised now come when the link is back.
 */
export type LinkState = "connecting" | "live" | "broken";
