/** Reads a remote file by byte ranges. Every answer is checked: its range, its total size, its version. */

import { Agent as HttpAgent, type IncomingMessage, request as httpRequest } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { setTimeout as sleep } from "node:timers/promises";

import { GeoLearnError } from "../../errors.ts";
import { type ByteSource, checkRange } from "./byte-source.ts";
import { checkAddress, checkedLookup, type NetworkPolicy } from "./network-policy.ts";

/** Read at once on opening: the header of nearly every Cloud-Optimized GeoTIFF. */
const HEAD_BYTES = 65536;

interface Answer {
  readonly bytes: Uint8Array;
  readonly total: number;
  readonly version: string | null;
}

/** A failure that another attempt may mend. */
class PassingFailure extends Error {}

class HttpSource implements ByteSource {
  readonly gap = 32768;
  readonly name: string;
  readonly size: number;
  readonly #head: Answer;
  readonly #client: RangeClient;
  #closed = false;

  constructor(client: RangeClient, head: Answer) {
    this.name = client.name;
    this.size = head.total;
    this.#head = head;
    this.#client = client;
  }

  async read(offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array> {
    signal?.throwIfAborted();
    checkRange(this, offset, length);
    if (this.#closed) {
      throw new GeoLearnError("INVALID_ARGUMENT", `${this.name} was read after close().`, { hint: "Open the raster again." });
    }
    if (length === 0) return new Uint8Array(0);
    if (offset + length <= this.#head.bytes.length) return this.#head.bytes.slice(offset, offset + length);
    const { bytes } = await this.#client.range(offset, length, this.#head, signal);
    return bytes;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#client.close();
  }
}

/** A source over a remote file. @throws NETWORK_NOT_ALLOWED, NETWORK_FAILED, FILE_NOT_FOUND */
export async function httpSource(address: string, policy: NetworkPolicy, signal?: AbortSignal): Promise<ByteSource> {
  const client = new RangeClient(new URL(address), policy);
  try {
    return new HttpSource(client, await client.range(0, HEAD_BYTES, null, signal));
  } catch (error) {
    client.close();
    throw error;
  }
}

class RangeClient {
  readonly name: string;
  readonly #policy: NetworkPolicy;
  readonly #http = new HttpAgent({ keepAlive: true, maxSockets: 8 });
  readonly #https = new HttpsAgent({ keepAlive: true, maxSockets: 8 });
  readonly #start: URL;

  constructor(start: URL, policy: NetworkPolicy) {
    this.name = `${start.protocol}//${start.host}${start.pathname}`;
    this.#start = start;
    this.#policy = policy;
  }

  /** Bytes of a range, compared with the first answer; the first request may find the file shorter than asked. */
  async range(offset: number, length: number, known: Answer | null, signal: AbortSignal | undefined): Promise<Answer> {
    const { retries = 3 } = this.#policy;
    for (let attempt = 0; ; attempt++) {
      signal?.throwIfAborted();
      try {
        return await this.#attempt(offset, length, known, signal);
      } catch (error) {
        signal?.throwIfAborted();
        if (GeoLearnError.is(error)) throw error;
        if (!(error instanceof PassingFailure) || attempt >= retries) throw this.#failed(error);
        await sleep(100 * 2 ** attempt * (0.5 + Math.random()), undefined, signal === undefined ? {} : { signal });
      }
    }
  }

  close(): void {
    this.#http.destroy();
    this.#https.destroy();
  }

  async #attempt(offset: number, length: number, known: Answer | null, signal: AbortSignal | undefined): Promise<Answer> {
    const { timeout = 10_000, maxRedirects = 3 } = this.#policy;
    const deadline = AbortSignal.timeout(Math.ceil(timeout + length / 100));
    const either = signal === undefined ? deadline : AbortSignal.any([signal, deadline]);
    let url = this.#start;
    try {
      for (let redirects = 0; ; redirects++) {
        checkAddress(url, this.#policy);
        const response = await this.#ask(url, offset, length, either);
        const location = response.headers.location;
        const status = response.statusCode ?? 0;
        if (status < 300 || status > 399 || location === undefined) return await this.#answer(response, offset, length, known, either);
        response.destroy();
        if (redirects >= maxRedirects) throw this.#failed(new Error(`more than ${maxRedirects} redirects`));
        const next = new URL(location, url);
        if (url.protocol === "https:" && next.protocol === "http:") throw this.#failed(new Error("a redirect from https to http"));
        url = next;
      }
    } catch (error) {
      if (deadline.aborted && !signal?.aborted) throw new PassingFailure(`no complete answer within ${timeout} ms`);
      throw error;
    }
  }

  #ask(url: URL, offset: number, length: number, signal: AbortSignal): Promise<IncomingMessage> {
    const secure = url.protocol === "https:";
    const own = url.host === this.#start.host ? this.#policy.headers : {};
    return new Promise((resolve, reject) => {
      const request = (secure ? httpsRequest : httpRequest)(url, {
        agent: secure ? this.#https : this.#http,
        signal,
        lookup: checkedLookup(this.#policy),
        headers: { ...own, range: `bytes=${offset}-${offset + length - 1}`, "accept-encoding": "identity" },
      });
      request.once("response", resolve);
      request.once("error", (error) => reject(GeoLearnError.is(error) ? error : new PassingFailure(error.message, { cause: error })));
      request.end();
    });
  }

  async #answer(response: IncomingMessage, offset: number, length: number, known: Answer | null, signal: AbortSignal): Promise<Answer> {
    const status = response.statusCode ?? 0;
    try {
      if (status === 404 || status === 410) {
        throw new GeoLearnError("FILE_NOT_FOUND", `There is nothing at ${this.name} (status ${status}).`, { hint: "Check the address." });
      }
      if (status === 429 || status >= 500) throw new PassingFailure(`the server answered with status ${status}`);
      if (status === 200) throw this.#failed(new Error("the server does not answer by ranges"), "Download the file and open it from disk.");
      if (status !== 206) throw this.#failed(new Error(`the server answered with status ${status}`));
      if ((response.headers["content-encoding"] ?? "identity") !== "identity") throw this.#failed(new Error("the answer is compressed"));
      const { start, end, total } = parseContentRange(response.headers["content-range"]);
      const expected = known === null ? Math.min(length, total) : length;
      if (start !== offset || end !== offset + expected - 1) {
        throw this.#failed(new Error(`bytes ${offset} to ${offset + expected - 1} were asked for, ${start} to ${end} came`));
      }
      const version = response.headers.etag ?? response.headers["last-modified"] ?? null;
      if (known !== null && (known.total !== total || known.version !== version)) {
        throw new GeoLearnError("NETWORK_FAILED", `${this.name} was replaced while it was being read.`, { hint: "Open it again." });
      }
      return { bytes: await body(response, expected, signal), total, version };
    } finally {
      response.destroy();
    }
  }

  #failed(cause: unknown, hint = "Check the address and the connection, or download the file."): GeoLearnError {
    const reason = cause instanceof Error ? cause.message : String(cause);
    return new GeoLearnError("NETWORK_FAILED", `${this.name} could not be read: ${reason}.`, { hint, cause });
  }
}

function parseContentRange(header: string | undefined): { start: number; end: number; total: number } {
  const found = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(header ?? "");
  if (found === null) return { start: NaN, end: NaN, total: NaN };
  return { start: Number(found[1]), end: Number(found[2]), total: Number(found[3]) };
}

/** Exactly the expected bytes; a longer body is cut off as soon as it shows. */
async function body(response: IncomingMessage, expected: number, signal: AbortSignal): Promise<Uint8Array> {
  const bytes = new Uint8Array(expected);
  let done = 0;
  try {
    for await (const chunk of response) {
      signal.throwIfAborted();
      const part = chunk as Uint8Array;
      if (done + part.length > expected) throw new PassingFailure("the answer is longer than it says");
      bytes.set(part, done);
      done += part.length;
    }
  } catch (error) {
    if (error instanceof PassingFailure) throw error;
    throw new PassingFailure(error instanceof Error ? error.message : String(error), { cause: error });
  }
  if (done < expected) throw new PassingFailure("the answer is shorter than it says");
  return bytes;
}
