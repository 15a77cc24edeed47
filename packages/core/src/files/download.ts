/**
 * Files from the network that are known by their SHA-256: fetched once into the cache, continued where a transfer broke
 * off, and given out only when the checksum fits.
 */

import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import fs, { type FileHandle } from "node:fs/promises";
import { type IncomingMessage, request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";

import { GeoLearnError } from "../errors.ts";
import type { OnProgress, WorkOptions } from "../progress.ts";
import { checkAddress, checkedLookup, type NetworkPolicy } from "../raster/sources/network-policy.ts";
import { writeError, writeFully } from "./atomic.ts";
import { cacheFolder } from "./cache-folder.ts";
import { lockFolder } from "./lock.ts";
import { makeFolder } from "./make-folder.ts";

/** Options of {@link downloadFile}. */
export interface DownloadOptions extends Pick<WorkOptions, "signal" | "onProgress"> {
  /** SHA-256 of the file, 64 hexadecimal digits. */
  readonly sha256: string;
  /** Folder of downloads. @defaultValue `downloads` in the {@link cacheFolder} */
  readonly folder?: string;
  /** Rules for the network; here `timeout` is the longest silence, 10 s unless set. */
  readonly network?: NetworkPolicy;
  /** Largest file that is fetched. @defaultValue 4 GiB */
  readonly maxBytes?: number;
}

/** A failure that another attempt may mend. */
class PassingFailure extends Error {}

/** A part of a file that does not belong to what the server has now. */
class StalePart extends Error {}

/** Bytes that must have come for an attempt not to count as failed. */
const REAL_PROGRESS = 65536;

/**
 * The path of a file from the network: out of the cache when it is there, else fetched into it. The file bears its name only
 * when it is whole and its SHA-256 fits; until then its beginning is kept as `.part`, and the next call goes on from there
 * if the server can send ranges. A file in the cache is checked at each call.
 *
 * @throws INVALID_ARGUMENT for an address or checksum that is none; NETWORK_NOT_ALLOWED; NETWORK_FAILED, saying so when
 * there is no connection; FILE_NOT_FOUND when the server has no such file; CHECKSUM_MISMATCH, and nothing is kept then;
 * LIMIT_EXCEEDED; OUTPUT_LOCKED while another process fetches the same file; DISK_FULL, WRITE_FAILED
 *
 * @example
 * const path = await downloadFile("https://example.org/resnet18.pth", { sha256: "9d1ed8..." });
 */
export async function downloadFile(address: string | URL, options: DownloadOptions): Promise<string> {
  const url = parseAddress(address);
  const { network = {}, signal } = options;
  const sha256 = checkedSha256(options.sha256);
  const folder = join(options.folder ?? join(cacheFolder(), "downloads"), sha256);
  const path = join(folder, fileName(url));
  signal?.throwIfAborted();
  if (await isWhole(path, sha256, signal)) return path;
  checkAddress(url, network);
  await makeFolder(folder);
  const unlock = await lockFolder(folder);
  try {
    if (!(await isWhole(path, sha256, signal))) await new Download(url, path, sha256, options).run();
    return path;
  } finally {
    await unlock();
    await fs.rmdir(folder).catch(() => undefined); // when nothing was kept
  }
}

/** One file being fetched. */
class Download {
  readonly #url: URL;
  readonly #path: string;
  readonly #part: string;
  readonly #sha256: string;
  readonly #policy: NetworkPolicy;
  readonly #maxBytes: number;
  readonly #signal: AbortSignal | undefined;
  readonly #onProgress: OnProgress | undefined;
  readonly #name: string;
  /** Whether the part was put together from several answers. */
  #continued = false;

  constructor(url: URL, path: string, sha256: string, { network = {}, maxBytes = 2 ** 32, signal, onProgress }: DownloadOptions) {
    this.#url = url;
    this.#path = path;
    this.#part = `${path}.part`;
    this.#sha256 = sha256;
    this.#policy = network;
    this.#maxBytes = maxBytes;
    this.#signal = signal;
    this.#onProgress = onProgress;
    this.#name = nameOf(url);
  }

  async run(): Promise<void> {
    await this.#transfer();
    const found = await hashFile(this.#part, this.#signal);
    if (found === this.#sha256) return this.#finish();
    await fs.rm(this.#part, { force: true });
    // They may have been of different versions: once more, in one piece.
    if (this.#continued) return this.run();
    throw new GeoLearnError(
      "CHECKSUM_MISMATCH",
      `${this.#name} has the SHA-256 ${found}, expected ${this.#sha256}; the file was removed.`,
      {
        hint: "Check address and checksum with whoever publishes the file; it may have been replaced or tampered with.",
        data: { found, expected: this.#sha256 },
      },
    );
  }

  /** Until the part holds all the server has. */
  async #transfer(): Promise<void> {
    const { retries = 3 } = this.#policy;
    const handle = await fs.open(this.#part, fs.constants.O_RDWR | fs.constants.O_CREAT).catch((error: unknown) => {
      throw writeError(this.#part, error);
    });
    try {
      let have = (await handle.stat()).size;
      for (let attempt = 0; ; attempt++) {
        const before = have;
        try {
          this.#continued = have > 0;
          await this.#attempt(handle, have);
          await handle.sync();
          return;
        } catch (error) {
          this.#signal?.throwIfAborted();
          if (GeoLearnError.is(error)) throw error;
          if (error instanceof StalePart && have > 0) {
            await this.#startAnew(handle);
          } else if (!(error instanceof PassingFailure || error instanceof StalePart)) throw this.#failed(error, have);
          have = (await handle.stat()).size;
          if (have - before >= REAL_PROGRESS) attempt = -1;
          else if (attempt >= retries) throw this.#failed(error, have);
          await sleep(
            100 * 2 ** Math.max(0, attempt) * (0.5 + Math.random()),
            undefined,
            this.#signal === undefined ? {} : { signal: this.#signal },
          );
        }
      }
    } finally {
      await handle.close();
    }
  }

  async #startAnew(handle: FileHandle): Promise<void> {
    await handle.truncate(0);
    this.#continued = false;
  }

  async #finish(): Promise<void> {
    try {
      await fs.rename(this.#part, this.#path);
    } catch (error) {
      throw writeError(this.#path, error);
    }
  }

  /** One request, redirects followed, its body written behind what is there. */
  async #attempt(handle: FileHandle, have: number): Promise<void> {
    const { maxRedirects = 3 } = this.#policy;
    let url = this.#url;
    for (let redirects = 0; ; redirects++) {
      checkAddress(url, this.#policy);
      const response = await this.#ask(url, have);
      const { location } = response.headers;
      const status = response.statusCode ?? 0;
      try {
        if (status < 300 || status > 399 || location === undefined) return await this.#receive(response, handle, have);
      } finally {
        response.destroy();
      }
      if (redirects >= maxRedirects) throw new Error(`more than ${maxRedirects} redirects`);
      const next = new URL(location, url);
      if (url.protocol === "https:" && next.protocol === "http:") throw new Error("a redirect from https to http");
      url = next;
    }
  }

  #ask(url: URL, have: number): Promise<IncomingMessage> {
    const { timeout = 10_000, headers = {} } = this.#policy;
    return new Promise((resolve, reject) => {
      const request = (url.protocol === "https:" ? httpsRequest : httpRequest)(url, {
        agent: false,
        lookup: checkedLookup(this.#policy),
        headers: {
          ...(url.host === this.#url.host ? headers : {}),
          ...(have > 0 ? { range: `bytes=${have}-` } : {}),
          "accept-encoding": "identity",
        },
        ...(this.#signal === undefined ? {} : { signal: this.#signal }),
      });
      request.setTimeout(timeout, () => request.destroy(new PassingFailure(`nothing came for ${timeout} ms`)));
      request.once("response", resolve);
      request.on("error", (error) => reject(GeoLearnError.is(error) ? error : passing(error)));
      request.end();
    });
  }

  async #receive(response: IncomingMessage, handle: FileHandle, have: number): Promise<void> {
    const status = response.statusCode ?? 0;
    if (status === 404 || status === 410) {
      throw new GeoLearnError("FILE_NOT_FOUND", `There is nothing at ${this.#name} (status ${status}).`, { hint: "Check the address." });
    }
    if (status === 429 || status >= 500) throw new PassingFailure(`the server answered with status ${status}`);
    if (status === 416 && have > 0) {
      // Nothing lies behind what is there: either it is all, or it is of something else.
      if (response.headers["content-range"] === `bytes */${have}`) return;
      throw new StalePart("the server has less than was fetched before");
    }
    if (status !== 200 && status !== 206) throw new Error(`the server answered with status ${status}`);
    if ((response.headers["content-encoding"] ?? "identity") !== "identity") throw new Error("the answer is compressed");
    let at = have;
    let total = Number(response.headers["content-length"] ?? NaN);
    if (status === 206) {
      const range = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(response.headers["content-range"] ?? "");
      if (range === null || Number(range[1]) !== have || Number(range[2]) !== Number(range[3]) - 1) {
        throw new StalePart("the server sent another range than was asked for");
      }
      total = Number(range[3]);
    } else if (have > 0) {
      await this.#startAnew(handle);
      at = 0;
    }
    await this.#write(response, handle, at, total);
  }

  async #write(response: IncomingMessage, handle: FileHandle, from: number, total: number): Promise<void> {
    if (total > this.#maxBytes) throw this.#tooLarge(total);
    let at = from;
    const report = (): void => {
      this.#onProgress?.({ stage: "download", done: at, total: Number.isNaN(total) ? at : Math.max(total, at), unit: "bytes" });
    };
    report();
    try {
      for await (const chunk of response) {
        const bytes = chunk as Uint8Array;
        if (at + bytes.byteLength > this.#maxBytes) throw this.#tooLarge(at + bytes.byteLength);
        await writeFully(handle, bytes, at).catch((error: unknown) => {
          throw writeError(this.#part, error);
        });
        at += bytes.byteLength;
        report();
      }
    } catch (error) {
      throw GeoLearnError.is(error) ? error : passing(error);
    }
    if (at < total) throw new PassingFailure("the transfer broke off");
    if (at > total) throw new StalePart("the answer is longer than it says");
  }

  #tooLarge(bytes: number): GeoLearnError {
    return new GeoLearnError("LIMIT_EXCEEDED", `${this.#name} has ${bytes} bytes or more; at most ${this.#maxBytes} are fetched.`, {
      hint: "Check the address; download a file of this size yourself.",
    });
  }

  #failed(error: unknown, have: number): GeoLearnError {
    const reason = error instanceof Error ? error.message : String(error);
    const kept = have > 0 ? ` The first ${have} bytes are kept; the same call goes on from there.` : "";
    const offline = isOffline(error);
    return new GeoLearnError(
      "NETWORK_FAILED",
      offline
        ? `${this.#name} cannot be reached: this computer seems to be offline, or ${this.#url.hostname} does not exist (${reason}).`
        : `${this.#name} could not be fetched: ${reason}.`,
      {
        hint: `${offline ? "Connect and try again, or fetch the file elsewhere and give its path." : "Check the address and the connection, or fetch the file and give its path."}${kept}`,
        data: { offline, kept: have },
        cause: error,
      },
    );
  }
}

function parseAddress(address: string | URL): URL {
  try {
    return new URL(address);
  } catch (cause) {
    throw new GeoLearnError("INVALID_ARGUMENT", `${JSON.stringify(String(address).slice(0, 100))} is no address.`, {
      hint: "Give an address such as https://example.org/file.",
      cause,
    });
  }
}

function checkedSha256(sha256: string): string {
  if (/^[0-9a-f]{64}$/i.test(sha256)) return sha256.toLowerCase();
  throw new GeoLearnError("INVALID_ARGUMENT", `"${sha256.slice(0, 80)}" is no SHA-256; 64 hexadecimal digits were expected.`, {
    hint: "Take the checksum from whoever publishes the file; `sha256sum FILE` prints that of a file you trust.",
  });
}

/** Last part of the path, made safe for every file system. */
function fileName(url: URL): string {
  const last = url.pathname.split("/").at(-1) ?? "";
  const safe = last
    .replace(/[^\w.-]+/g, "_")
    .replace(/^\.+/, "")
    .slice(-100);
  return safe === "" ? "file" : safe;
}

/** An address without query, which may hold secrets. */
function nameOf(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname}`;
}

/** True when the file is there and right; a wrong one is removed. */
async function isWhole(path: string, sha256: string, signal: AbortSignal | undefined): Promise<boolean> {
  if ((await fs.stat(path).catch(() => null)) === null) return false;
  if ((await hashFile(path, signal)) === sha256) return true;
  await fs.rm(path, { force: true });
  return false;
}

async function hashFile(path: string, signal: AbortSignal | undefined): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash, signal === undefined ? {} : { signal });
  return hash.digest("hex");
}

function passing(error: unknown): PassingFailure {
  if (error instanceof PassingFailure) return error;
  const failure = new PassingFailure(error instanceof Error && error.message !== "" ? error.message : codeOf(error), { cause: error });
  return failure;
}

const OFFLINE: ReadonlySet<string> = new Set(["ENOTFOUND", "EAI_AGAIN", "EAI_FAIL", "ENETDOWN", "ENETUNREACH", "EHOSTUNREACH"]);

function isOffline(error: unknown): boolean {
  return OFFLINE.has(codeOf(error)) || (error instanceof Error && error.cause !== undefined && isOffline(error.cause));
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}
