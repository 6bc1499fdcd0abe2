// The corners of an area as numbers: what the map shows and takes by hand, for whoever cannot use it so.
import { buttonOf, elementOf } from "./base.js";

export class Corners {
  // `changed` is told of the corners, each [longitude, latitude], when a person has changed one.
  constructor(after, changed) {
    this.changed = changed;
    this.box = elementOf("details", "map-corners");
    this.box.hidden = true;
    this.head = elementOf("summary", "");
    this.table = elementOf("table", "");
    this.box.append(this.head, this.table);
    after.after(this.box);
  }

  show(corners) {
    this.box.hidden = !corners.length;
    this.head.textContent = `${corners.length} corners as numbers`;
    if (this.table.contains(document.activeElement)) return; // somebody writes here
    this.#fill(corners);
  }

  #fill(corners) {
    const head = document.createElement("tr");
    for (const name of ["Corner", "Degrees north", "Degrees east", ""]) head.append(cell(name, name ? "th" : "td"));
    this.rows = corners.map((corner, number) => this.#row(corner, number + 1));
    this.table.replaceChildren(head, ...this.rows);
  }

  #row([lon, lat], number) {
    const row = document.createElement("tr");
    const [north, east] = [inputOf(lat, `Degrees north of corner ${number}`, 85), inputOf(lon, `Degrees east of corner ${number}`, 180)];
    for (const one of [north, east]) one.addEventListener("input", () => this.#tell());
    const drop = buttonOf("Remove", () => this.#drop(row), `Remove corner ${number}`);
    row.append(cell(String(number), "th", "row"), cell(north), cell(east), cell(drop));
    return row;
  }

  #drop(row) {
    this.rows.splice(this.rows.indexOf(row), 1);
    this.head.focus();
    this.#tell();
  }

  #tell() {
    const inputs = this.rows.map((row) => [...row.querySelectorAll("input")]);
    if (inputs.flat().every((one) => one.checkValidity() && one.value)) {
      this.changed(inputs.map(([north, east]) => [Number(east.value), Number(north.value)]));
    }
  }
}

function cell(content, name = "td", scope = "col") {
  const made = document.createElement(name);
  if (name === "th") made.scope = scope;
  made.append(content);
  return made;
}

function inputOf(value, label, most) {
  const made = document.createElement("input");
  Object.assign(made, { type: "number", step: "any", min: -most, max: most, value: value.toFixed(5), required: true });
  made.setAttribute("aria-label", label);
  made.setAttribute("form", ""); // of no form: the form has the area in its own field
  return made;
}
