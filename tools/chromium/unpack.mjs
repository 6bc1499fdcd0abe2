// Unpacks the Chromium of npm with the libraries and the font that it needs: `node unpack.mjs FOLDER`.
import { createReadStream, createWriteStream, mkdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createBrotliDecompress } from "node:zlib";

const packed = new URL("./node_modules/@sparticuz/chromium/bin/", import.meta.url);
const folder = process.argv[2];
mkdirSync(folder, { recursive: true });

for (const name of ["al2023", "fonts"]) {
  const tar = spawn("tar", ["-x", "-C", folder], { stdio: ["pipe", "inherit", "inherit"] });
  await pipeline(createReadStream(new URL(`${name}.tar.br`, packed)), createBrotliDecompress(), tar.stdin);
  const [code] = tar.exitCode === null ? await once(tar, "exit") : [tar.exitCode];
  if (code !== 0) process.exit(1);
}
const program = join(folder, "chromium");
const half = `${program}.part`;
await pipeline(createReadStream(new URL("chromium.br", packed)), createBrotliDecompress(), createWriteStream(half, { mode: 0o755 }));
renameSync(half, program); // last: a program that is there is whole
