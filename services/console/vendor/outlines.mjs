// The outlines of maps: every state, and the counties of Illinois and of the states around it.
// Out of the TopoJSON of us-atlas (U.S. Census Bureau, cartographic boundaries 2017, public domain).

// Federal Information Processing Standards: IL, and IN, IA, KY, MO, WI.
const WITH_COUNTIES = new Set(["17", "18", "19", "21", "29", "55"]);

export function outlines({ arcs, transform, objects }) {
  const layers = {
    states: objects.states.geometries,
    counties: objects.counties.geometries.filter(({ id }) => WITH_COUNTIES.has(id.slice(0, 2))),
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
