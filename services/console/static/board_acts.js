// Says that the person has seen an alert, and says it until there is an answer: with the same request id, so that the
// service records one act however often it was sent.
const { csrf } = document.body.dataset;
const PASSING = new Set([429, 502, 503, 504]);
const PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 4_000;

// Gives {alert} when it is recorded, {sentence} when it was refused, null when the sign-in is over.
export async function acknowledge(alertId) {
  const body = new URLSearchParams({ alert_id: alertId, request_id: crypto.randomUUID() });
  for (let pause = PAUSE_MS; ; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
    const answer = await fetch("/board/acknowledge", {
      method: "POST",
      body,
      headers: { "X-Csrf": csrf },
      signal: AbortSignal.timeout(8000),
    }).catch(() => null);
    if (answer?.status === 401) return null;
    if (answer && !PASSING.has(answer.status)) {
      return answer.json().catch(() => ({ sentence: "It was not done." }));
    }
    await new Promise((done) => setTimeout(done, pause));
  }
}
