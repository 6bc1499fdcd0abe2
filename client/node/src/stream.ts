// The stream of alerts that goes on.

import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { status } from "@grpc/grpc-js";
import { BAD_TOKEN, ENTITLEMENT_ENDED, EPOCH_CHANGED, errorOf, type Failure, isFinal } from "./errors.js";
import { type AlertEvent, type Gap, type LinkState, Position } from "./events.js";
import {
  type SubscribeAlertsRequest,
  SubscribeAlertsRequestSchema,
  type SubscribeAlertsResponse,
} from "./gen/alpr/alerts/v1/alert_service_pb.js";
import type { HotListCategory } from "./gen/alpr/type/v1/hit_pb.js";
import { Partition } from "./gen/alpr/type/v1/sensor_pb.js";
import { BrokenError, Link } from "./link.js";
import { type Pace, paceOf, pauseMs } from "./pace.js";
import { ResumeFile } from "./resume_file.js";

export interface AlertStreamOptions {
  /** Gives the account's access token; called before each connection. What it throws ends the iteration. */
  readonly accessToken: () => string | Promise<string>;
  /**
   * Where the resume token is kept: one file for one stream of one account, in a folder that is there. Left out, it is kept
   * in memory: the stream goes on after every break, but not after the end of the program.
   */
  readonly resumeFile?: string;
  /** PEM of the authority of the service's certificate; left out, the machine's own. */
  readonly caFile?: string;
  /** Wanted besides the floor that no filter takes away; none means all. */
  readonly categories?: readonly HotListCategory[];
  /** Alerts of the Motor Carrier Safety data set, for its own roles, and no others. */
  readonly motorCarrier?: boolean;
  /** Where to begin when there is no resume token yet, at most 24 hours back; left out, with the next alert. */
  readonly since?: Date;
  /** Times of giving up and trying again. */
  readonly pace?: Partial<Pace>;
  /** Told how the link stands: with each try, with each message (heartbeats too), and when it breaks. */
  readonly onLink?: (state: LinkState) => void;
}

/**
 * Alerts of the account's agency, in order, at least once, without end.
 *
 * Iterate with `for await`. It reconnects by itself with growing pauses and goes on where it stopped, also after the
 * program was stopped. An alert is taken when the next one is asked for (or by `taken`); only then is the token in the
 * file moved past it. After a loop body that threw or a crash the next loop gets it again. One loop at a time.
 *
 * The loop throws EntitlementEndedError, ResumeRefusedError, RefusedError or ResumeFileError.
 */
export class AlertStream implements AsyncIterable<AlertEvent | Gap> {
  readonly #target: string;
  readonly #options: AlertStreamOptions;
  readonly #pace: Pace;
  readonly #file: ResumeFile | undefined;
  #closing = new AbortController();
  #link: Link | undefined;
  // Where to go on: of the file first, then of what was taken since.
  #token: string | undefined;
  #isFileRead = false;
  // The token of what was given and not taken yet.
  #given: string | undefined;
  // After a gap: from when to begin, instead of the token.
  #resyncFrom: Date | undefined;
  #failures = 0;
  #isUnproven = false;
  #keptAt: number | undefined;

  constructor(target: string, options: AlertStreamOptions) {
    this.#target = target;
    this.#options = options;
    this.#pace = paceOf(options.pace);
    this.#file = options.resumeFile === undefined ? undefined : new ResumeFile(options.resumeFile);
  }

  [Symbol.asyncIterator](): AsyncIterator<AlertEvent | Gap, undefined> {
    // What was given and not taken is given again, so a loop that failed is no loss.
    this.#given = undefined;
    this.#disconnect();
    this.#closing = new AbortController();
    return {
      next: async () => {
        const value = await this.#next();
        return value === undefined ? { done: true, value } : { done: false, value };
      },
      return: async () => {
        this.close();
        return { done: true, value: undefined };
      },
    };
  }

  /** Says that the last event was taken care of. Asking for the next one does the same; this is for a loop that is left early. */
  async taken(): Promise<void> {
    if (this.#given !== undefined) {
      await this.#keep(this.#given);
      this.#given = undefined;
    }
  }

  /** Ends the loop that runs, and the connection. What was not taken is given again next time. */
  close(): void {
    this.#closing.abort();
    this.#disconnect();
  }

  async #next(): Promise<AlertEvent | Gap | undefined> {
    await this.taken();
    while (!this.#closing.signal.aborted) {
      let message: SubscribeAlertsResponse;
      try {
        message = await this.#nextMessage();
      } catch (error) {
        this.#disconnect();
        if (this.#closing.signal.aborted) {
          return undefined;
        }
        if (!(error instanceof BrokenError)) {
          throw error;
        }
        const gap = await this.#recover(error.failure);
        if (gap) {
          return gap;
        }
        continue;
      }
      const event = eventOf(message);
      if (event) {
        this.#given = message.resumeToken;
        return event;
      }
      await this.#pass(message.resumeToken);
    }
    return undefined;
  }

  /**
   * Goes past what concerned others. The first token is kept at once, so that a crash before the first alert passes over
   * nothing; later ones now and then, so that the token of an agency with few alerts does not grow too old.
   */
  async #pass(token: string): Promise<void> {
    if (this.#keptAt === undefined || performance.now() - this.#keptAt >= this.#pace.keepMs) {
      await this.#keep(token);
    }
    this.#token = token;
  }

  async #keep(token: string): Promise<void> {
    await this.#file?.write(token);
    this.#token = token;
    this.#keptAt = performance.now();
  }

  async #nextMessage(): Promise<SubscribeAlertsResponse> {
    this.#link ??= await this.#connect();
    const message = await this.#link.read(this.#pace.quietMs);
    this.#failures = 0;
    this.#isUnproven = false;
    this.#resyncFrom = undefined;
    this.#tell("live");
    return message;
  }

  async #connect(): Promise<Link> {
    if (this.#file && !this.#isFileRead) {
      this.#token = await this.#file.read();
      this.#isFileRead = true;
    }
    this.#tell("connecting");
    const accessToken = (await this.#options.accessToken()).trim();
    const ca = this.#options.caFile === undefined ? undefined : await readFile(this.#options.caFile);
    return new Link(this.#target, ca, accessToken, this.#request());
  }

  #request(): SubscribeAlertsRequest {
    const request = create(SubscribeAlertsRequestSchema, {
      categories: [...(this.#options.categories ?? [])],
      partition: this.#options.motorCarrier ? Partition.MOTOR_CARRIER : Partition.GENERAL,
    });
    const since = this.#resyncFrom ?? (this.#token === undefined ? this.#options.since : undefined);
    if (since) {
      request.since = timestampFromDate(since);
    } else if (this.#token !== undefined) {
      request.resumeToken = this.#token;
    }
    return request;
  }

  #disconnect(): void {
    this.#link?.close();
    this.#link = undefined;
  }

  #tell(state: LinkState): void {
    this.#options.onLink?.(state);
  }

  /** Waits for the next try, or gives the gap with which the stream goes on. Throws what ends it. */
  async #recover(failure: Failure): Promise<Gap | undefined> {
    this.#failures += 1;
    this.#tell("broken");
    const gap = gapOf(failure);
    if (gap && this.#resyncFrom === undefined) {
      this.#resyncFrom = gap.since;
      return gap;
    }
    if (!this.#isPassing(failure)) {
      throw errorOf(failure);
    }
    const pause = pauseMs(this.#pace, this.#failures, failure.retryMs);
    await sleep(pause, undefined, { signal: this.#closing.signal }).catch(() => undefined);
    return undefined;
  }

  #isPassing(failure: Failure): boolean {
    if (failure.reason === ENTITLEMENT_ENDED && !this.#isUnproven) {
      // It also ends when audit could not be asked for a while. Asked again, the service says which it was.
      this.#isUnproven = true;
      return true;
    }
    const tooOld = failure.code === status.INVALID_ARGUMENT || failure.code === status.FAILED_PRECONDITION;
    if (this.#resyncFrom !== undefined && tooOld) {
      // The time of the gap grew too old while the service was away: the token gets a newer one.
      this.#resyncFrom = undefined;
      return true;
    }
    return !isFinal(failure);
  }
}

function eventOf(message: SubscribeAlertsResponse): AlertEvent | undefined {
  const { event, epoch, position, quiet } = message;
  if (event.case !== "raised" && event.case !== "updated") {
    return undefined;
  }
  return { kind: event.case, position: new Position(epoch, position), alert: event.value, quiet };
}

function gapOf(failure: Failure): Gap | undefined {
  const text = failure.metadata["resync_from"];
  if (text === undefined || (failure.reason !== BAD_TOKEN && failure.reason !== EPOCH_CHANGED)) {
    return undefined;
  }
  const since = new Date(text);
  return Number.isNaN(since.getTime()) ? undefined : { kind: "gap", since, reason: failure.reason };
}
