// An area while a person draws it: corners one after the other, or a centre and a radius. Mouse, touch and keys do the same.
import { circular, getDistance, Polygon, toLonLat } from "../vendor/ol.js";

const LEAST_CORNERS = 3;

export class Sketch {
  constructor(kind) {
    this.kind = kind; // "polygon" or "circle"
    this.places = []; // as the map has them
    this.next = null; // where the pointer or the crosshair is
  }

  // Whether the sketch is whole with it.
  put(place) {
    if (this.kind === "circle" && this.places.length && metres(this.places[0], place) < 1) return false;
    this.places.push(place);
    return this.kind === "circle" && this.places.length === 2;
  }

  undo() {
    this.places.pop();
  }

  get enough() {
    return this.places.length >= (this.kind === "circle" ? 2 : LEAST_CORNERS);
  }

  get radius() {
    return Math.max(1, Math.round(metres(this.places[0], this.places[1] ?? this.next)));
  }

  get geometry() {
    if (!this.places.length || (this.kind === "circle" && !(this.places[1] ?? this.next))) return null;
    if (this.kind === "circle") return round(toLonLat(this.places[0]), this.radius);
    const ring = this.next ? [...this.places, this.next] : this.places;
    return new Polygon([[...ring, ring[0]]]);
  }

  get said() {
    const { length } = this.places;
    if (this.kind === "circle") return length ? "Now a place on its edge." : "Put the centre first.";
    const left = LEAST_CORNERS - length;
    return `${length} ${length === 1 ? "corner" : "corners"}${left > 0 ? `, ${left} more at least` : ""}.`;
  }
}

const metres = (one, other) => getDistance(toLonLat(one), toLonLat(other));

export function round(center, radius) {
  return circular(center, radius, 72).transform("EPSG:4326", "EPSG:3857");
}
