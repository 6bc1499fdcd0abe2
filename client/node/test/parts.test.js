// The parts of the package that need no service: `node --test`.

import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { Position, ResumeFileError } from "../dist/index.js";
import { paceOf, pauseMs } from "../dist/pace.js";
import { ResumeFile } from "../dist/resume_file.js";

const folder = () => mkdtemp(join(tmpdir(), "platewarden-"));

test("a token that was written is read again, also by another process, and only its owner can", async () => {
  const path = join(await folder(), "alerts.resume");
  await new ResumeFile(path).write("first");
  await new ResumeFile(path).write("second");

  assert.equal(await new ResumeFile(path).read(), "second");
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  assert.deepEqual(JSON.parse(await readFile(path, "utf8")), { version: 1, resume_token: "second" });
});

test("nothing is left beside the file, also when it could not be written", async () => {
  const place = await folder();
  await new ResumeFile(join(place, "alerts.resume")).write("token");
  await assert.rejects(new ResumeFile(join(place, "no", "such", "folder")).write("token"), ResumeFileError);

  assert.deepEqual(await readdir(place), ["alerts.resume"]);
});

test("a file that is not there begins anew, one that is damaged does not, and its error does not show it", async () => {
  const place = await folder();
  assert.equal(await new ResumeFile(join(place, "none")).read(), undefined);

  for (const content of ["", "{", "null", "[]", '{"version":2,"resume_token":"secret"}', '{"version":1,"resume_token":7}']) {
    const path = join(place, "damaged");
    await writeFile(path, content);
    await assert.rejects(new ResumeFile(path).read(), (error) => error instanceof ResumeFileError && !String(error).includes("secret"));
  }
});

test("pauses grow to the longest, by chance, and are never shorter than the service asked for", () => {
  const pace = paceOf({ firstPauseMs: 100, longestPauseMs: 1000 });

  for (const [failures, whole] of [[1, 100], [2, 200], [4, 800], [9, 1000], [5000, 1000]]) {
    const pause = pauseMs(pace, failures, 0);
    assert.ok(pause >= whole / 2 && pause <= whole, `${failures}: ${pause}`);
  }
  assert.equal(pauseMs(pace, 1, 5000), 5000);
});

test("a pace that cannot be kept is refused", () => {
  assert.throws(() => paceOf({ quietMs: 0 }), RangeError);
  assert.throws(() => paceOf({ firstPauseMs: 20_000 }), RangeError);
});

test("a position is covered by itself and later ones of its epoch alone", () => {
  const at = new Position(2n, 7n);

  assert.ok(at.isCoveredBy(new Position(2n, 7n)));
  assert.ok(at.isCoveredBy(new Position(2n, 8n)));
  assert.ok(!at.isCoveredBy(new Position(2n, 6n)));
  assert.ok(!at.isCoveredBy(new Position(3n, 8n)));
  assert.ok(!at.isCoveredBy(undefined));
});
