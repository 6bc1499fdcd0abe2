"""What the benchmark of the console asks of the page, which knows nothing of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from playwright.async_api import CDPSession, Page

# Each alert's plate, and when it was on the screen: after the frame that first shows it has been made. How
# long it took from each key to the frame after it. Tasks that held the page up.
WATCH: Final = """
window.shown = {};
window.frames_after = [];
window.long_tasks = 0;
window.painted = (then) => requestAnimationFrame(() => {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = then;
  port2.postMessage(0);
});
new MutationObserver((changes) => {
  const rows = changes.flatMap((one) => [...one.addedNodes]).filter((one) => one.dataset?.alert);
  if (rows.length) window.painted(() => {
    const now = Date.now();
    for (const row of rows) window.shown[row.querySelector(".r-plate").textContent] ??= now;
  });
}).observe(document, { subtree: true, childList: true });
addEventListener("keydown", () => {
  const at = performance.now();
  window.painted(() => window.frames_after.push(performance.now() - at));
}, true);
new PerformanceObserver((list) => {
  window.long_tasks += list.getEntries().length;
}).observe({ type: "longtask" });
"""
# Milliseconds from the next key to the frame that shows the selected alert as acknowledged.
_ACKNOWLEDGE: Final = """
window.acknowledged = new Promise((done) => {
  const item = document.activeElement.closest("li");
  let at = 0;
  addEventListener("keydown", () => (at = performance.now()), { capture: true, once: true });
  const watch = new MutationObserver(() => {
    if (item.classList.contains("unseen") || item.textContent.includes("being sent")) return;
    watch.disconnect();
    window.painted(() => done(performance.now() - at));
  });
  watch.observe(item, { subtree: true, childList: true, attributes: true });
});
0;
"""
_PAINTED: Final = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"


async def shown(page: Page) -> Mapping[str, int]:
    """When each plate was on the screen, epoch milliseconds."""
    return dict(await page.evaluate("window.shown"))


async def weighed(page: Page, address: str) -> Mapping[str, Any]:
    """How heavy the page is with an empty cache, and when something of it was first seen."""
    finished: list[float] = []
    wire = await page.context.new_cdp_session(page)
    wire.on("Network.loadingFinished", lambda event: finished.append(event["encodedDataLength"]))
    await wire.send("Network.enable")
    await wire.send("Network.setCacheDisabled", {"cacheDisabled": True})
    await page.goto(address)
    await page.wait_for_selector("#link[data-state=live]")
    painted = await page.evaluate(_PAINTED)
    await wire.detach()
    return {"bytes": int(sum(finished)), "requests": len(finished), "first_paint_ms": painted}


async def rows_of(page: Page, least: int) -> float:
    """Waits until there are at least so many rows; seconds since the page began to load."""
    await page.locator("#alerts li").nth(least - 1).wait_for(state="attached", timeout=120_000)
    return float(await page.evaluate("performance.now() / 1000"))


async def keys(page: Page, number: int) -> tuple[Sequence[float], float]:
    """Milliseconds from each of so many keys to the frame after it, and processor time of the page's thread
    for each, whatever else ran on this machine.
    """
    thread = await page.context.new_cdp_session(page)
    await thread.send("Performance.enable", {"timeDomain": "threadTicks"})
    await page.evaluate("window.frames_after.length = 0; window.long_tasks = 0")
    before = await _task_seconds(thread)
    for at in range(number):
        await page.keyboard.press("k" if at % 10 == 9 else "j")  # noqa: PLR2004 - now and then back
    spent = await _task_seconds(thread) - before
    await thread.detach()
    return list(await page.evaluate("window.frames_after")), 1000 * spent / number


async def acknowledgements(page: Page, number: int) -> Sequence[float]:
    """Milliseconds from the key that acknowledges an alert to the frame that shows that this is recorded, for
    so many alerts that nobody has acknowledged.
    """
    took = []
    for _ in range(number):
        await page.keyboard.press("u")
        await page.evaluate(_ACKNOWLEDGE)
        await page.keyboard.press("a")
        took.append(float(await page.evaluate("window.acknowledged")))
    return took


async def _task_seconds(thread: CDPSession) -> float:
    metrics = (await thread.send("Performance.getMetrics"))["metrics"]
    return float(next(one["value"] for one in metrics if one["name"] == "TaskDuration"))
