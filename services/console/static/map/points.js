// Points on a map: near ones are drawn as one with their number; a card says what a chosen one is.
import { Cluster, createEmpty, extend, Feature, fromLonLat, getCenter, Point, VectorLayer, VectorSource } from "../vendor/ol.js";
import { localTimes } from "../times.js";
import { buttonOf, elementOf } from "./base.js";
import { clusterStyle, LOOKS, pointStyle } from "./looks.js";

const NEAR = 36; // pixels
const MOST_IN_CARD = 50;

export class Points {
  constructor(base) {
    this.base = base;
    this.byId = new Map();
    this.order = [];
    this.chosen = null;
    this.source = new VectorSource();
    this.card = elementOf("div", "map-card");
    this.card.setAttribute("role", "status");
    this.card.hidden = true;
    this.lost = elementOf("p", "map-lost");
    base.target.after(this.card, this.lost);
    base.help.append(" N and P go to the next and the one before, Enter opens it, Escape closes it.");
    const clusters = new Cluster({ source: this.source, distance: NEAR });
    this.layer = new VectorLayer({ source: clusters, style: (cluster) => this.#style(cluster) });
    base.add(this.layer);
    base.map.on("singleclick", (event) => this.#clicked(event));
    base.map.on("pointermove", (event) => this.#hovered(event));
    base.target.addEventListener("keydown", (event) => this.#key(event));
  }

  set(points) {
    this.close();
    this.order = points.filter(isSomewhere);
    const lost = points.length - this.order.length;
    this.lost.textContent = lost ? `${lost} of ${points.length} have no place.` : "";
    this.byId = new Map(this.order.map((one) => [String(one.id), one]));
    this.source.clear(true);
    this.source.addFeatures(this.order.map((one) => {
      const feature = new Feature(new Point(fromLonLat([one.lon, one.lat])));
      feature.set("point", one, true);
      return feature;
    }));
    this.base.whole = this.order.length ? this.source.getExtent() : undefined;
    if (this.base.whole) this.base.fit(this.base.whole);
  }

  pick(id) {
    const point = this.byId.get(String(id));
    if (!point) return;
    this.#choose(point);
    this.base.move({ center: fromLonLat([point.lon, point.lat]) });
  }

  #choose(point) {
    this.chosen = point;
    this.layer.changed();
    this.#say([point]);
    this.base.element.dispatchEvent(new CustomEvent("map:pick", { bubbles: true, detail: { id: point.id } }));
  }

  #style(cluster) {
    const points = cluster.get("features").map((one) => one.get("point"));
    const looks = new Set(points.map(({ look }) => (LOOKS.includes(look) ? look : "plain")));
    const look = LOOKS.find((one) => looks.has(one));
    const chosen = this.chosen && points.includes(this.chosen);
    const { palette } = this.base;
    return points.length === 1 ? pointStyle(look, palette, chosen) : clusterStyle(look, points.length, palette, chosen);
  }

  #at(pixel) {
    const [cluster] = this.base.map.getFeaturesAtPixel(pixel, { layerFilter: (one) => one === this.layer, hitTolerance: 8 });
    return cluster ? cluster.get("features").map((one) => one.get("point")) : [];
  }

  #hovered({ pixel, dragging }) {
    if (!dragging) this.base.target.classList.toggle("map-on-point", this.#at(pixel).length > 0);
  }

  #clicked({ pixel }) {
    if (this.base.drawing) return;
    const points = this.#at(pixel);
    if (points.length === 1) this.#choose(points[0]);
    else if (points.length) this.#open(points);
    else this.close();
  }

  // Closer, until no zoom would part them; then they are listed.
  #open(points) {
    const extent = points.reduce((all, { lon, lat }) => extend(all, [...fromLonLat([lon, lat]), ...fromLonLat([lon, lat])]), createEmpty());
    const width = Math.max(extent[2] - extent[0], extent[3] - extent[1]);
    const closest = this.base.view.getMinResolution();
    if (width / closest > NEAR && this.base.view.getResolution() > closest) {
      this.base.view.fit(extent, { padding: [60, 60, 60, 60], duration: 0 });
      this.base.target.focus();
    } else {
      this.base.move({ center: getCenter(extent) });
      this.#say(points);
    }
  }

  #key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented) return;
    const step = { n: 1, p: -1 }[event.key];
    if (step && this.order.length) {
      const now = this.order.indexOf(this.chosen);
      const next = now < 0 && step < 0 ? this.order.length - 1 : (now + step + this.order.length) % this.order.length;
      this.pick(this.order[next].id);
    } else if (event.key === "Enter" && this.card.querySelector("a")) {
      this.card.querySelector("a").click();
    } else if (event.key === "Escape") {
      this.close();
    }
  }

  close() {
    this.card.hidden = true;
    this.card.replaceChildren();
    this.chosen = null;
    this.layer.changed();
  }

  #say(points) {
    const shown = points.slice(0, MOST_IN_CARD).map(saidOf);
    const parts = points.length > 1 ? [elementOf("p", "", `${points.length} at this place`), ...shown] : shown;
    if (points.length > MOST_IN_CARD) parts.push(elementOf("p", "quiet", `and ${points.length - MOST_IN_CARD} more`));
    this.card.replaceChildren(...parts, buttonOf("Close", () => {
      this.close();
      this.base.target.focus();
    }));
    localTimes(this.card);
    this.card.hidden = false;
  }
}

// Zero north and zero east is what a place without numbers has.
const isSomewhere = ({ lat, lon }) => Math.abs(lat) <= 85 && Math.abs(lon) <= 180 && (lat !== 0 || lon !== 0);

function saidOf({ label, detail, time, href: given }) {
  const line = elementOf("p", "");
  const href = /^\/(?!\/)/.test(given ?? "") ? given : ""; // pages of the console alone
  const name = elementOf(href ? "a" : "strong", "", String(label));
  if (href) name.href = href;
  line.append(name);
  if (detail) line.append(" ", elementOf("span", "", String(detail)));
  if (time) {
    const moment = elementOf("time", "", time);
    moment.dateTime = time;
    moment.title = `${time.slice(0, 19).replace("T", " ")} UTC`;
    line.append(" ", moment);
  }
  return line;
}
