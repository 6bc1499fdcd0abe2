// Follows alerts with the package and says what it sees, a JSON line each. Its argument has options of the stream, and with
// `hold` it never ends the work on the alert of that number.

import { AlertStream } from "platewarden-client";

const { ALERTS_HOST, ALERTS_CA, ALERTS_TOKEN } = process.env;
const { since, hold, ...options } = JSON.parse(process.argv[2] ?? "{}");
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const stream = new AlertStream(ALERTS_HOST, {
  accessToken: async () => ALERTS_TOKEN,
  caFile: ALERTS_CA,
  pace: { quietMs: 3000, firstPauseMs: 50, longestPauseMs: 200, keepMs: 100 },
  onLink: (state) => say({ link: state }),
  ...(since ? { since: new Date(since) } : {}),
  ...options,
});
let count = 0;
try {
  for await (const event of stream) {
    if (event.kind === "gap") {
      say({ gap: event.reason, since: event.since.toISOString() });
    } else {
      say({ [event.kind]: event.alert.alertId, mark: String(event.position.mark), quiet: event.quiet, severity: event.alert.severity });
      count += 1;
      if (count === hold) {
        await new Promise(() => setInterval(() => undefined, 1000));
      }
    }
  }
} catch (error) {
  say({ error: error.name, reason: error.reason, fields: error.fields, metadata: error.metadata });
}
