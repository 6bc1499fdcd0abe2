// How things on a map look: colours of the page's style sheet, and a shape for each look, so that colour is never alone.
import { CircleStyle, Fill, RegularShape, Stroke, Style, Text } from "../vendor/ol.js";

const NAMES = ["water", "land", "line", "border", "text", "halo", "plain", "good", "warning", "danger", "off", "area"];
export const LOOKS = ["danger", "warning", "off", "plain", "good"]; // the worst of a cluster first

export function paletteOf(element) {
  const style = getComputedStyle(element);
  return Object.fromEntries(NAMES.map((name) => [name, style.getPropertyValue(`--map-${name}`).trim()]));
}

function shape(look, size, palette) {
  const own = { fill: new Fill({ color: palette[look] }), stroke: new Stroke({ color: palette.halo, width: 2 }) };
  if (look === "danger") return new RegularShape({ ...own, points: 4, radius: size * 1.25, angle: Math.PI / 4 });
  if (look === "warning") return new RegularShape({ ...own, points: 3, radius: size * 1.35 });
  if (look === "off") {
    const stroke = new Stroke({ color: palette.off, width: 3.5 });
    return new RegularShape({ stroke, points: 4, radius: size, radius2: 0, angle: Math.PI / 4 });
  }
  return new CircleStyle({ ...own, radius: size });
}

const ring = (size, palette) => new CircleStyle({ radius: size, stroke: new Stroke({ color: palette.text, width: 3 }) });

export function pointStyle(look, palette, chosen) {
  const own = new Style({ image: shape(look, 8, palette), zIndex: LOOKS.length - LOOKS.indexOf(look) });
  return chosen ? [own, new Style({ image: ring(14, palette), zIndex: 9 })] : [own];
}

export function clusterStyle(look, count, palette, chosen) {
  const size = 13 + Math.min(12, 3 * Math.log10(count));
  const ground = look === "off" ? "plain" : look;
  const text = new Text({ text: short(count), font: "600 13px system-ui, sans-serif", fill: new Fill({ color: palette.halo }) });
  const own = [new Style({ image: shape(ground, size, palette), text, zIndex: 8 })];
  return chosen ? [...own, new Style({ image: ring(size + 6, palette), zIndex: 9 })] : own;
}

const short = (count) => (count < 1000 ? String(count) : `${(count / 1000).toFixed(count < 10000 ? 1 : 0)}k`);

const NAMES_OF_COUNTIES_BELOW = 700; // metres a pixel
export function countyStyle(feature, resolution, palette) {
  const own = new Style({ stroke: new Stroke({ color: palette.line, width: 1 }) });
  if (resolution < NAMES_OF_COUNTIES_BELOW) own.setText(named(feature, palette, "italic 12px"));
  return own;
}

export const landStyle = (_feature, _resolution, palette) => new Style({ fill: new Fill({ color: palette.land }) });

export function stateStyle(feature, resolution, palette) {
  const own = new Style({ stroke: new Stroke({ color: palette.border, width: 1.6 }) });
  if (resolution >= NAMES_OF_COUNTIES_BELOW) own.setText(named(feature, palette, "600 13px"));
  return own;
}

// The smallest place that has room: people, by metres a pixel.
const leastPeople = (resolution) => (resolution > 700 ? Infinity : resolution > 20 ? resolution * resolution * 0.9 : 0);

export function placeStyle(feature, resolution, palette) {
  const people = feature.get("people");
  if (people < leastPeople(resolution)) return null;
  const text = named(feature, palette, people > 100_000 ? "13px" : people > 20_000 ? "12px" : "11px");
  text.setOffsetY(-9);
  return new Style({ image: new CircleStyle({ radius: 2.5, fill: new Fill({ color: palette.text }) }), text });
}

function named(feature, palette, font) {
  return new Text({
    text: feature.get("name"),
    font: `${font} system-ui, sans-serif`,
    fill: new Fill({ color: palette.text }),
    stroke: new Stroke({ color: palette.land, width: 3 }),
    overflow: false,
  });
}

export function areaStyle(palette) {
  return new Style({
    fill: new Fill({ color: `${palette.area}26` }),
    stroke: new Stroke({ color: palette.area, width: 3 }),
    image: new CircleStyle({ radius: 7, fill: new Fill({ color: palette.halo }), stroke: new Stroke({ color: palette.area, width: 3 }) }),
  });
}
