import { AlertStream } from "platewarden-client";

const { ALERTS_HOST = "", ALERTS_CA = "", ALERTS_TOKEN = "" } = process.env;
const stream = new AlertStream(ALERTS_HOST, {
  accessToken: () => ALERTS_TOKEN,
  resumeFile: "alerts.resume",
  caFile: ALERTS_CA,
});
for await (const event of stream) {
  console.log(event.kind === "gap" ? "gap" : `${event.alert.alertId} ${event.alert.notice?.text}`);
}
