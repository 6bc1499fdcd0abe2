// The map itself: outlines or tiles, buttons and keys to move on it, colours of the scheme, paper.
import {
  defaultInteractions, DragPan, Feature, fromLonLat, KeyboardPan, KeyboardZoom, Map as OlMap, noModifierKeys, Point,
  ScaleLine, shiftKeyOnly, TileLayer, TopoJSON, VectorLayer, VectorSource, View, XYZ,
} from "../vendor/ol.js";
import { countyStyle, landStyle, paletteOf, placeStyle, stateStyle } from "./looks.js";

const ILLINOIS = [...fromLonLat([-91.6, 36.9]), ...fromLonLat([-87.0, 42.6])];
const MARGIN = [40, 40, 40, 40];
const SOURCES = "Lines: U.S. Census Bureau. Places: GeoNames, CC BY 4.0.";
const STEP = 100; // pixels that an arrow moves the map
const SMALL_STEP = 10;
const CLOSEST = 11; // no closer than this by itself: a point alone needs something around it
const CLOSEST_ON_TILES = 15;
const still = matchMedia("(prefers-reduced-motion: reduce)");
const dark = matchMedia("(prefers-color-scheme: dark)");
let ground;

const read = async (name) => (await fetch(new URL(`../vendor/${name}.json`, import.meta.url))).json();

// Read once for all maps: reading changes what is read.
function loaded() {
  ground ??= Promise.all([read("outlines"), read("places")]).then(([outlines, places]) => {
    const lines = new TopoJSON({ layerName: "layer" }).readFeatures(outlines, { featureProjection: "EPSG:3857" });
    const { states, counties } = Object.groupBy(lines, (one) => one.get("layer"));
    return { states, counties, places: places.map(placeOf) };
  });
  return ground;
}

function placeOf([name, lon, lat, people]) {
  const made = new Feature(new Point(fromLonLat([lon, lat])));
  made.setProperties({ name, people }, true);
  return made;
}

// Wheel and finger move the page until the map has the focus. Keys move it at once, and drags stop at once.
function interactions() {
  const zoomDuration = still.matches ? 0 : undefined;
  const given = { onFocusOnly: true, altShiftDragRotate: false, pinchRotate: false, dragPan: false, keyboard: false, zoomDuration };
  return defaultInteractions(given).extend([
    new DragPan({ onFocusOnly: true }),
    new KeyboardPan({ condition: noModifierKeys, duration: 0, pixelDelta: STEP }),
    new KeyboardPan({ condition: shiftKeyOnly, duration: 0, pixelDelta: SMALL_STEP }),
    new KeyboardZoom({ duration: zoomDuration }),
  ]);
}

export function elementOf(name, className, text = "") {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.textContent = text;
  return made;
}

export function buttonOf(text, act, label = "") {
  const made = elementOf("button", "plain", text);
  made.type = "button";
  if (label) made.setAttribute("aria-label", label);
  made.addEventListener("click", act);
  return made;
}

export class Base {
  constructor(element) {
    this.element = element;
    this.palette = paletteOf(element);
    this.layers = [];
    this.tools = elementOf("div", "map-tools");
    this.target = elementOf("div", "map-view");
    this.help = elementOf("p", "map-help quiet", "Keys on the map: arrows move it, with Shift in small steps; + and − zoom.");
    this.#describe(element.dataset.label || "Map");
    element.replaceChildren(this.tools, this.target, this.help);
    if (!element.dataset.tiles) this.help.after(elementOf("p", "map-source quiet", SOURCES));
    this.#make(element.dataset.tiles);
    this.#addButtons();
    this.#followScheme();
  }

  #describe(label) {
    this.help.id = `${this.element.id || "map"}-keys-${crypto.randomUUID().slice(0, 8)}`;
    this.tools.setAttribute("role", "group");
    this.tools.setAttribute("aria-label", `Tools of the map: ${label}`);
    this.target.tabIndex = 0;
    this.target.setAttribute("role", "application");
    this.target.setAttribute("aria-label", `Map: ${label}`);
    this.target.setAttribute("aria-describedby", this.help.id);
  }

  #make(tiles) {
    this.view = new View({ minZoom: 3, maxZoom: 19, enableRotation: false });
    this.map = new OlMap({
      target: this.target,
      view: this.view,
      controls: [new ScaleLine({ units: "us", minWidth: 80 })],
      interactions: interactions(),
    });
    this.#addOutlines();
    if (tiles) this.map.addLayer(new TileLayer({ source: new XYZ({ url: tiles }) }));
    this.view.fit(ILLINOIS, { size: this.map.getSize() });
  }

  async #addOutlines() {
    const layer = (style) => {
      const source = new VectorSource();
      const renderOrder = (one, other) => (other.get("people") ?? 0) - (one.get("people") ?? 0);
      const own = (feature, resolution) => style(feature, resolution, this.palette);
      this.add(new VectorLayer({ source, renderOrder, declutter: "names", style: own }));
      return source;
    };
    const [land, counties, states, places] = [landStyle, countyStyle, stateStyle, placeStyle].map(layer);
    const found = await loaded();
    land.addFeatures(found.states);
    counties.addFeatures(found.counties);
    states.addFeatures(found.states);
    places.addFeatures(found.places);
    this.element.dataset.ground = ""; // there it is
  }

  // A layer whose style asks `palette`: it is drawn anew when the colours change.
  add(layer) {
    this.layers.push(layer);
    this.map.addLayer(layer);
  }

  #addButtons() {
    this.tools.append(
      buttonOf("+", () => this.zoom(1), "Zoom in"),
      buttonOf("−", () => this.zoom(-1), "Zoom out"),
      buttonOf("Show all", () => this.fit(this.whole ?? ILLINOIS)),
    );
  }

  zoom(by) {
    this.move({ zoom: this.view.getConstrainedZoom(this.view.getZoom() + by) });
  }

  move(to) {
    this.view.animate({ ...to, duration: still.matches ? 0 : 200 });
  }

  fit(extent) {
    const maxZoom = this.element.dataset.tiles ? CLOSEST_ON_TILES : CLOSEST;
    this.view.fit(extent, { padding: MARGIN, maxZoom, duration: still.matches ? 0 : 200 });
  }

  // Until the map is taken out of the page.
  #followScheme() {
    const end = new AbortController();
    const follow = (target, kind, act) =>
      target.addEventListener(kind, () => (this.element.isConnected ? act() : end.abort()), { signal: end.signal });
    follow(dark, "change", () => this.recolour());
    follow(window, "beforeprint", () => this.#onPaper(true));
    follow(window, "afterprint", () => this.#onPaper(false));
  }

  recolour() {
    this.palette = paletteOf(this.element);
    for (const layer of this.layers) layer.changed();
  }

  // Paper is of another width: it shows what the screen showed, smaller.
  #onPaper(is) {
    if (is) this.onScreen = { extent: this.view.calculateExtent(), center: this.view.getCenter(), resolution: this.view.getResolution() };
    this.element.classList.toggle("map-paper", is);
    this.recolour();
    this.map.updateSize();
    if (is) {
      this.view.fit(this.onScreen.extent);
    } else {
      this.view.setResolution(this.onScreen.resolution);
      this.view.setCenter(this.onScreen.center);
    }
    this.map.renderSync();
  }
}
