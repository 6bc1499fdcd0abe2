// The resume token on disk: where a stream goes on after its program was stopped or crashed.

import { randomUUID } from "node:crypto";
import { open, readFile, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { ResumeFileError } from "./errors.js";

const VERSION = 1;

/** One file for one stream of one account. It is replaced whole, and only its owner can read it. */
export class ResumeFile {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /**
   * The token that was written last; undefined when there is no file yet. Throws ResumeFileError when there is one, but it
   * cannot be read or is not ours: to begin anew instead would pass over alerts in silence.
   */
  async read(): Promise<string | undefined> {
    let text: string;
    try {
      text = await readFile(this.#path, "utf8");
    } catch (error) {
      if (isMissing(error)) {
        return undefined;
      }
      throw new ResumeFileError("the resume file cannot be read", { cause: error });
    }
    const token = parsed(text);
    if (token === undefined) {
      throw new ResumeFileError("the resume file is damaged; remove it to begin anew");
    }
    return token;
  }

  /**
   * Replaces the file by one with `token`; then it is on disk. A crash leaves the old file or the new. Throws
   * ResumeFileError when it cannot be written; the old file is as it was.
   */
  async write(token: string): Promise<void> {
    const folder = dirname(this.#path);
    const aside = join(folder, `.${basename(this.#path)}.${randomUUID()}.new`);
    try {
      await writeDurably(aside, JSON.stringify({ version: VERSION, resume_token: token }));
      await rename(aside, this.#path);
      await syncFolder(folder);
    } catch (error) {
      await rm(aside, { force: true }).catch(() => undefined);
      throw new ResumeFileError("the resume file cannot be written", { cause: error });
    }
  }
}

async function writeDurably(path: string, text: string): Promise<void> {
  const file = await open(path, "wx", 0o600);
  try {
    await file.writeFile(text, "utf8");
    await file.sync();
  } finally {
    await file.close();
  }
}

async function syncFolder(folder: string): Promise<void> {
  // Windows opens no folders, and keeps the new name without this.
  if (process.platform === "win32") {
    return;
  }
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function parsed(text: string): string | undefined {
  try {
    const content = JSON.parse(text) as { version?: unknown; resume_token?: unknown } | null;
    const token = content?.resume_token;
    return content?.version === VERSION && typeof token === "string" && token ? token : undefined;
  } catch {
    // Without its cause, which would show the content.
    return undefined;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
