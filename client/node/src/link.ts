// One connection to the service and the one call on it.

import { fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  type ChannelOptions,
  Client,
  type ClientReadableStream,
  credentials,
  Metadata,
  type ServiceError,
  status,
} from "@grpc/grpc-js";
import { bareFailure, type Failure, failureOf } from "./errors.js";
import { AlertService, type SubscribeAlertsRequest, type SubscribeAlertsResponse } from "./gen/alpr/alerts/v1/alert_service_pb.js";

const METHOD = AlertService.method.subscribeAlerts;
const OPTIONS: ChannelOptions = {
  // A connection that died without a word must not be shared with the next try.
  "grpc.use_local_subchannel_pool": 1,
  // Subscribers spread over the replicas behind a name, and the name's own records change nothing here.
  "grpc.service_config": JSON.stringify({ loadBalancingConfig: [{ pick_first: { shuffleAddressList: true } }] }),
  "grpc.service_config_disable_resolution": 1,
};

/** The link is over; `failure` says why. Never leaves the package. */
export class BrokenError extends Error {
  constructor(readonly failure: Failure) {
    super(status[failure.code]);
  }
}

/** A stream of alerts over a connection of its own. `close` ends it. */
export class Link {
  readonly #client: Client;
  readonly #call: ClientReadableStream<SubscribeAlertsResponse>;
  readonly #messages: AsyncIterator<SubscribeAlertsResponse>;

  /**
   * A link to `target` (`host:port`); the first `read` says whether it came to be. Throws TypeError when `accessToken`
   * cannot stand in a header, without showing it.
   */
  constructor(target: string, ca: Buffer | undefined, accessToken: string, request: SubscribeAlertsRequest) {
    if (!/^[\x20-\x7e]+$/.test(accessToken)) {
      throw new TypeError("the access token is empty or has characters that a header cannot carry");
    }
    const metadata = new Metadata();
    metadata.set("authorization", `Bearer ${accessToken}`);
    this.#client = new Client(target, credentials.createSsl(ca ?? null), OPTIONS);
    this.#call = this.#client.makeServerStreamRequest(
      `/${AlertService.typeName}/${METHOD.name}`,
      (message: SubscribeAlertsRequest) => Buffer.from(toBinary(METHOD.input, message)),
      (bytes: Buffer) => fromBinary(METHOD.output, bytes),
      request,
      metadata,
    );
    this.#messages = this.#call[Symbol.asyncIterator]() as AsyncIterator<SubscribeAlertsResponse>;
  }

  /** The next message. Throws BrokenError when the stream ended, or nothing came for `quietMs`. */
  async read(quietMs: number): Promise<SubscribeAlertsResponse> {
    let timer: NodeJS.Timeout | undefined;
    const dead = new Promise<never>((_, reject) => {
      const error = new BrokenError(bareFailure(status.DEADLINE_EXCEEDED, "the link is dead"));
      timer = setTimeout(() => reject(error), quietMs);
    });
    const next = this.#messages.next();
    // After a time-out nobody waits for it any more; its end is no news.
    next.catch(() => undefined);
    try {
      const result = await Promise.race([next, dead]);
      if (result.done) {
        throw new BrokenError(bareFailure(status.UNAVAILABLE, "the service ended the stream"));
      }
      return result.value;
    } catch (error) {
      throw error instanceof BrokenError ? error : new BrokenError(failureOf(error as ServiceError));
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends call and connection. */
  close(): void {
    this.#call.on("error", () => undefined);
    this.#call.cancel();
    this.#client.close();
  }
}
