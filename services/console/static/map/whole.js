// A map as an element of the page describes it (see ../map.js).
import { Area } from "./area.js";
import { Base } from "./base.js";
import { Points } from "./points.js";

export function makeMap(element) {
  const base = new Base(element);
  const points = element.dataset.points === undefined ? null : new Points(base);
  points?.set(JSON.parse(document.getElementById(element.dataset.points).textContent));
  if (element.dataset.area !== undefined) new Area(base, element.closest("form"), element.dataset.area);
  element.dataset.ready = "";
  return { setPoints: (list) => points?.set(list), pick: (id) => points?.pick(id) };
}
