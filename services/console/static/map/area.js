// An area in a form: the form's fields hold it, the map draws what they say and writes what a person draws.
import { Feature, fromLonLat, Modify, Point, Polygon, toLonLat, VectorLayer, VectorSource } from "../vendor/ol.js";
import { buttonOf, elementOf } from "./base.js";
import { Corners } from "./corners.js";
import { areaStyle } from "./looks.js";
import { round, Sketch } from "./sketch.js";

const written = ([lon, lat]) => `${lat.toFixed(5)},${lon.toFixed(5)}`;

// [longitude, latitude] of each "latitude,longitude"; none where one cannot be read.
function read(text) {
  const pairs = text.trim().replaceAll(", ", ",").split(/\s+/).map((one) => one.split(",").map(Number));
  const good = pairs.every((pair) => pair.length === 2 && Math.abs(pair[0]) <= 85 && Math.abs(pair[1]) <= 180);
  return good ? pairs.map(([lat, lon]) => [lon, lat]) : [];
}

export class Area {
  constructor(base, form, prefix) {
    this.base = base;
    this.sketch = null;
    this.fields = Object.fromEntries(["area", "around", "radius"].map((name) => [name, form.elements[prefix + name]]));
    this.drawn = this.#layer();
    this.round = this.#layer();
    this.pencil = this.#layer();
    this.#addTools();
    this.corners = new Corners(base.help, (corners) => this.#write({ area: corners.map(written).join(" "), around: "" }));
    this.#listen(form);
    this.redraw();
    this.fit();
  }

  #layer() {
    const source = new VectorSource();
    this.base.add(new VectorLayer({ source, style: () => areaStyle(this.base.palette) }));
    return source;
  }

  #addTools() {
    const tools = this.base.tools;
    this.starts = {
      polygon: buttonOf("Draw area", () => this.start("polygon")),
      circle: buttonOf("Draw circle", () => this.start("circle")),
    };
    this.remove = buttonOf("Take area away", () => this.clear());
    this.steps = elementOf("span", "map-steps");
    this.steps.append(
      buttonOf("Put at the cross", () => this.putInMiddle()),
      buttonOf("Undo", () => this.undo()), buttonOf("Done", () => this.finish()), buttonOf("Cancel", () => this.stop("Nothing was drawn.")),
    );
    this.state = elementOf("p", "map-state");
    this.state.setAttribute("role", "status");
    this.cross = elementOf("div", "map-cross");
    this.cross.setAttribute("aria-hidden", "true");
    tools.append(this.starts.polygon, this.starts.circle, this.remove, this.steps);
    tools.after(this.state);
    this.base.target.append(this.cross);
    this.base.help.append(" While you draw, Space puts a point at the cross, Backspace takes it back, Enter is done, Escape gives up.");
    this.#look();
  }

  #listen(form) {
    const { map, target } = this.base;
    this.modify = new Modify({ source: this.drawn, style: () => areaStyle(this.base.palette) });
    this.modify.on("modifyend", () => this.#writePolygon(this.drawn.getFeatures()[0].getGeometry().getCoordinates()[0].slice(0, -1)));
    map.addInteraction(this.modify);
    map.on("click", (event) => this.sketch && this.#put(event.coordinate));
    map.on("dblclick", (event) => {
      if (!this.sketch) return;
      event.preventDefault(); // it would zoom
      if (this.sketch.kind === "circle") return;
      this.sketch.undo(); // both of its clicks put a corner
      this.finish();
    });
    map.on("pointermove", ({ coordinate, dragging }) => this.sketch && !dragging && this.#aim(coordinate));
    this.base.view.on("change:center", () => this.sketch && this.byKeys && this.#aim(this.base.view.getCenter()));
    target.addEventListener("keydown", (event) => this.#key(event), { capture: true });
    for (const field of Object.values(this.fields)) {
      field.addEventListener("input", () => this.redraw());
      field.addEventListener("change", () => this.fit());
    }
    form.addEventListener("reset", () => setTimeout(() => this.redraw()));
  }

  start(kind) {
    if (this.sketch?.kind === kind) return this.stop("Nothing was drawn.");
    this.sketch = new Sketch(kind);
    this.byKeys = false;
    this.base.drawing = true;
    this.base.target.focus();
    this.#look();
    this.#show();
  }

  stop(sentence) {
    this.sketch = null;
    this.base.drawing = false;
    this.pencil.clear();
    this.#look();
    this.state.textContent = sentence;
  }

  putInMiddle() {
    this.byKeys = true;
    this.#put(this.base.view.getCenter());
    this.base.target.focus();
  }

  #put(place) {
    if (this.sketch.put(place)) this.finish();
    else this.#show();
  }

  #aim(place) {
    this.sketch.next = place;
    this.#show();
  }

  undo() {
    this.sketch.undo();
    this.#show();
    this.base.target.focus();
  }

  finish() {
    const { sketch } = this;
    if (!sketch.enough) {
      this.state.textContent = sketch.said;
      return;
    }
    if (sketch.kind === "circle") this.#write({ around: written(toLonLat(sketch.places[0])), radius: String(sketch.radius), area: "" });
    else this.#writePolygon(sketch.places);
    this.stop("The area is in the form.");
  }

  clear() {
    this.#write({ area: "", around: "" });
    this.stop("There is no area.");
    this.base.target.focus();
  }

  #writePolygon(places) {
    this.#write({ area: places.map((one) => written(toLonLat(one))).join(" "), around: "" });
  }

  #write(values) {
    for (const [name, value] of Object.entries(values)) {
      const field = this.fields[name];
      field.value = value;
      field.dispatchEvent(new Event("input", { bubbles: true }));
      if (value && field.closest("details")) field.closest("details").open = true;
    }
  }

  #key(event) {
    if (!this.sketch || event.ctrlKey || event.altKey || event.metaKey) return;
    const acts = {
      " ": () => this.putInMiddle(),
      Backspace: () => this.undo(),
      Enter: () => this.finish(),
      Escape: () => this.stop("Nothing was drawn."),
    };
    if (event.key.startsWith("Arrow")) this.byKeys = true;
    if (!acts[event.key]) return;
    event.preventDefault();
    event.stopPropagation();
    acts[event.key]();
  }

  // Draws what the fields say.
  redraw() {
    this.drawn.clear();
    this.round.clear();
    const given = read(this.fields.area.value);
    this.corners.show(given);
    const corners = given.map((one) => fromLonLat(one));
    if (corners.length > 2) this.drawn.addFeature(new Feature(new Polygon([[...corners, corners[0]]])));
    const [center] = read(this.fields.around.value);
    const radius = Number(this.fields.radius.value);
    if (center && radius > 0) this.round.addFeature(new Feature(round(center, radius)));
    this.#look();
  }

  fit() {
    const [one] = [...this.drawn.getFeatures(), ...this.round.getFeatures()];
    if (one) this.base.fit(one.getGeometry().getExtent());
  }

  #show() {
    this.pencil.clear();
    const { geometry, places, said } = this.sketch;
    this.pencil.addFeatures(places.map((one) => new Feature(new Point(one))));
    if (geometry) this.pencil.addFeature(new Feature(geometry));
    if (this.state.textContent !== said) this.state.textContent = said; // readers say it each time
  }

  // Which tools there are at the moment.
  #look() {
    for (const [kind, button] of Object.entries(this.starts)) button.setAttribute("aria-pressed", String(this.sketch?.kind === kind));
    this.steps.hidden = !this.sketch;
    this.remove.hidden = Boolean(this.sketch) || !(this.fields.area.value || this.fields.around.value);
    this.base.target.classList.toggle("map-drawing", Boolean(this.sketch));
    this.modify?.setActive(!this.sketch);
  }
}
