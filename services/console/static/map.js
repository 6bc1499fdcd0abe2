// Maps of pages. A page loads this module and has one of these (templates/map.html writes them):
//
//   <script type="application/json" id="places">[{"id": "…", "lat": 41.9, "lon": -87.6, "label": "cam-1"}]</script>
//   <div class="map" data-points="places" data-label="Where the reads were made"></div>
//
// shows points. Of a point `id`, `lat`, `lon` and `label` are needed; it may have `time` (RFC 3339, UTC), `detail`
// (a sentence), `href` (its page) and `look`: "plain", "good", "warning", "danger" or "off", each with a colour and a
// shape of its own. No plates in it unless the page shows them anyway.
//
//   <div class="map" data-area="" data-label="Where"></div>
//
// stands in a form and draws into its text fields `area` ("41.97,-87.90 41.97,-87.80 …", degrees north and east),
// `around` ("41.97,-87.90") and `radius` (metres); what is written there is drawn. The value is the fields' prefix.
// A map may have both. What else a page may do:
//   - `data-tiles="https://…/{z}/{x}/{y}.png"`: tiles over the outlines (PW_TILE_URL).
//   - A click on `<button data-map-show="ID">` anywhere shows that point.
//   - The map says `map:pick` (bubbles; `event.detail.id`) when a person chooses a point.
//   - `show(element, points)` puts other points on a map.
// A map that is added to the page later is found, too. The library is loaded when a map comes near the
// screen; one in closed <details> waits until it is opened.
const SOON = "4000px"; // what is farther down is printed, too
const waiting = new Map();
const shown = new WeakMap();

const sight = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    sight.unobserve(target);
    waiting.get(target)();
    waiting.delete(target);
  }
}, { rootMargin: SOON });

// A map without its style sheet has no height.
function styled() {
  const address = new URL("map.css", import.meta.url).href;
  const found = [...document.querySelectorAll("link[rel=stylesheet]")].find(({ href }) => href === address);
  if (found?.sheet) return;
  const link = found ?? document.head.appendChild(Object.assign(document.createElement("link"), { rel: "stylesheet", href: address }));
  return new Promise((done) => link.addEventListener("load", done, { once: true }));
}

async function make(element) {
  await new Promise((inSight) => {
    waiting.set(element, inSight);
    sight.observe(element);
  });
  const [{ makeMap }] = await Promise.all([import("./map/whole.js"), styled()]);
  return makeMap(element);
}

function wire() {
  for (const element of document.querySelectorAll(".map:not([data-wired])")) {
    element.dataset.wired = "";
    shown.set(element, make(element));
  }
}

export async function show(element, points) {
  (await shown.get(element)).setPoints(points);
}

addEventListener("click", async ({ target }) => {
  const button = target.closest?.("[data-map-show]");
  const element = document.querySelector(".map[data-points]");
  if (!button || !element) return;
  element.scrollIntoView({ block: "nearest" });
  (await shown.get(element))?.pick(button.dataset.mapShow);
});

wire();
new MutationObserver(wire).observe(document.body, { childList: true, subtree: true });
