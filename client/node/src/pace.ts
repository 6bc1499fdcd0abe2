// How fast a stream gives up and tries again.

// 2 ** 20 times any first pause is longer than any longest one; more would only make large numbers.
const MOST_DOUBLINGS = 20;

/** Times of a stream, in milliseconds. */
export interface Pace {
  /** A link on which nothing came for so long is dead; the service sends a heartbeat at least every 5 seconds. */
  readonly quietMs: number;
  /** Between two tries; doubled with each that fails. */
  readonly firstPauseMs: number;
  readonly longestPauseMs: number;
  /** How often the token is written while no alert comes. */
  readonly keepMs: number;
}

const USUAL: Pace = { quietMs: 15_000, firstPauseMs: 500, longestPauseMs: 15_000, keepMs: 30_000 };

/** `changes` on top of the usual times. Throws RangeError when a time is not above zero, or the pauses do not grow. */
export function paceOf(changes: Partial<Pace> = {}): Pace {
  const pace = { ...USUAL, ...changes };
  if (!Object.values(pace).every((time) => time > 0)) {
    throw new RangeError("every time of a pace is above zero");
  }
  if (pace.firstPauseMs > pace.longestPauseMs) {
    throw new RangeError("the first pause is not longer than the longest");
  }
  return pace;
}

/**
 * How long to wait after `failures` tries in a row, at least what the service `askedFor`. Half of it is chance: a
 * thousand subscribers that lost the same replica do not come back in one moment.
 */
export function pauseMs(pace: Pace, failures: number, askedFor: number): number {
  const doublings = Math.min(Math.max(failures - 1, 0), MOST_DOUBLINGS);
  const whole = Math.min(pace.firstPauseMs * 2 ** doublings, pace.longestPauseMs);
  return Math.max(whole / 2 + (Math.random() * whole) / 2, askedFor);
}
