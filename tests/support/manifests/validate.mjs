// Checks documents of kinds that Kubernetes itself has not: `node validate.mjs < documents.json`. Prints a JSON list with what
// is wrong with each document, null where nothing is. The schemas' validators know patterns and bounds but let unknown fields
// through; the types of the same packages do not, so each document is also compiled as a literal of its type.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import * as certificates from "@kubernetes-models/cert-manager/cert-manager.io/v1";
import * as databases from "@kubernetes-models/cloudnative-pg/postgresql.cnpg.io/v1";
import * as gateways from "@kubernetes-models/gateway-api/gateway.networking.k8s.io/v1";
import * as monitoring from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1";
import { validate as barman } from "./node_modules/@kubernetes-models/cloudnative-pg/_schemas/ComGithubCloudnativePgBarmanCloudPkgApiBarmanObjectStoreConfiguration.js";

const packages = {
  "cert-manager.io/v1": ["cert-manager", certificates],
  "postgresql.cnpg.io/v1": ["cloudnative-pg", databases],
  "gateway.networking.k8s.io/v1": ["gateway-api", gateways],
  "monitoring.coreos.com/v1": ["prometheus-operator", monitoring],
};
// The kind of CloudNativePG's plugin for backups has no published schema; what it holds is the operator's own type, which has.
const STORE = "barmancloud.cnpg.io/v1";
const STORE_TYPE =
  '{ apiVersion: string; kind: "ObjectStore"; metadata: object; spec: { retentionPolicy: `${number}${"d" | "w" | "m"}`; configuration: ' +
  'import("@kubernetes-models/cloudnative-pg/github.com/cloudnative-pg/barman-cloud/pkg/api").IBarmanObjectStoreConfiguration } }';

function byValidator(document) {
  const { apiVersion, kind, spec } = document;
  if (apiVersion === STORE && kind === "ObjectStore") return barman(spec.configuration) ? null : JSON.stringify(barman.errors);
  const model = packages[apiVersion]?.[1][kind];
  if (!model) return "there is no schema of this kind";
  try {
    new model(document).validate();
    return null;
  } catch (error) {
    return error.message;
  }
}

function typeOf({ apiVersion, kind }) {
  if (apiVersion === STORE) return STORE_TYPE;
  const known = packages[apiVersion];
  return known?.[1][kind] ? `import("@kubernetes-models/${known[0]}/${apiVersion}").I${kind}` : "unknown";
}

// What the compiler says of each document, by its place: every document is one line.
function byTypes(documents) {
  const file = fileURLToPath(new URL("./documents.ts", import.meta.url));
  const text = documents.map((one, at) => `export const d${at}: ${typeOf(one)} = ${JSON.stringify(one)};`).join("\n");
  const options = { strict: true, noEmit: true, skipLibCheck: true, types: [], module: ts.ModuleKind.NodeNext };
  const host = ts.createCompilerHost(options);
  const [readFile, fileExists] = [host.readFile.bind(host), host.fileExists.bind(host)];
  host.readFile = (name) => (name === file ? text : readFile(name));
  host.fileExists = (name) => name === file || fileExists(name);
  const program = ts.createProgram([file], options, host);
  const said = documents.map(() => null);
  for (const one of ts.getPreEmitDiagnostics(program)) {
    if (one.file?.fileName !== file) throw new Error(ts.flattenDiagnosticMessageText(one.messageText, " "));
    const { line } = one.file.getLineAndCharacterOfPosition(one.start);
    said[line] ??= ts.flattenDiagnosticMessageText(one.messageText, " ");
  }
  return said;
}

const documents = JSON.parse(readFileSync(0, "utf8"));
const types = byTypes(documents);
console.log(JSON.stringify(documents.map((one, at) => byValidator(one) ?? types[at])));
