import { createHash } from "node:crypto";
import { mkdtemp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

import type { GeoLearnError } from "../errors.ts";
import type { Progress } from "../progress.ts";
import type { NetworkPolicy } from "../raster/sources/network-policy.ts";
import { cacheFolder } from "./cache-folder.ts";
import { downloadFile } from "./download.ts";
import { lockFolder } from "./lock.ts";

const content = Uint8Array.from({ length: 300_000 }, (_, i) => (i * 31 + (i >> 8)) & 255);
const sha256 = createHash("sha256").update(content).digest("hex");
const network: NetworkPolicy = { allowPrivate: true, timeout: 400, retries: 1 };
const servers: Server[] = [];
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "download-"));
});

afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
  await rm(folder, { recursive: true });
  await mkdir(folder);
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

type Handler = (request: IncomingMessage, response: ServerResponse, call: number) => void;

/** A server on the loopback, and the ranges it was asked for. */
async function serve(handler: Handler): Promise<{ url: string; asked: (string | undefined)[] }> {
  const asked: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    asked.push(request.headers.range);
    handler(request, response, asked.length);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/models/resnet18.pth?token=secret`, asked };
}

const start = (request: IncomingMessage): number => Number(/bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);

const good: Handler = (request, response) => {
  const from = start(request);
  if (request.headers.range === undefined) response.writeHead(200, { "content-length": content.length }).end(content);
  else if (from >= content.length) response.writeHead(416, { "content-range": `bytes */${content.length}` }).end();
  else response.writeHead(206, { "content-range": `bytes ${from}-${content.length - 1}/${content.length}` }).end(content.subarray(from));
};

/** Sends the first `bytes` bytes and breaks off. */
const cut =
  (bytes: number, body = content): Handler =>
  (_, response) => {
    response.writeHead(200, { "content-length": body.length });
    response.write(body.subarray(0, bytes), () => setTimeout(() => response.destroy(), 20));
  };

const get = (url: string, more: object = {}): Promise<string> => downloadFile(url, { sha256, folder, network, ...more });
const failure = (promise: Promise<unknown>): Promise<GeoLearnError> =>
  promise.then(
    () => expect.unreachable(),
    (error: unknown) => error as GeoLearnError,
  );

describe("downloadFile", () => {
  it("fetches a file once, says how far it is, and then gives it out of the cache", async () => {
    const { url, asked } = await serve(good);
    const reports: Progress[] = [];
    const path = await get(url, { onProgress: (report: Progress) => reports.push(report) });
    expect(path).toBe(join(folder, sha256, "resnet18.pth"));
    expect(new Uint8Array(await readFile(path))).toEqual(content);
    expect(await readdir(join(folder, sha256))).toEqual(["resnet18.pth"]);
    expect(reports[0]).toEqual({ stage: "download", done: 0, total: content.length, unit: "bytes" });
    expect(reports.at(-1)).toEqual({ stage: "download", done: content.length, total: content.length, unit: "bytes" });
    expect(await get(url, { sha256: sha256.toUpperCase() })).toBe(path);
    expect(asked).toEqual([undefined]);
  });

  it("goes on where a transfer broke off, in the same call", async () => {
    const { url, asked } = await serve((request, response, call) => (call === 1 ? cut(100_000) : good)(request, response, call));
    expect(new Uint8Array(await readFile(await get(url)))).toEqual(content);
    expect(asked).toEqual([undefined, "bytes=100000-"]);
  });

  it("goes on in a later call", async () => {
    const { url, asked } = await serve((request, response, call) =>
      (call <= 1 ? cut(100_000) : call <= 2 ? refuse(503) : good)(request, response, call),
    );
    const error = await failure(
      get(url, { network: { ...network, retries: 0 } }).then(() => get(url, { network: { ...network, retries: 0 } })),
    );
    expect(error).toMatchObject({ code: "NETWORK_FAILED", hint: expect.stringContaining("The first 100000 bytes are kept") as string });
    expect(await readdir(join(folder, sha256))).toEqual(["resnet18.pth.part"]);
    expect(new Uint8Array(await readFile(await get(url)))).toEqual(content);
    expect(asked).toEqual([undefined, "bytes=100000-", "bytes=100000-"]);
    expect(await readdir(join(folder, sha256))).toEqual(["resnet18.pth"]);
  });

  it("goes on after being cancelled", async () => {
    const { url, asked } = await serve((request, response, call) => {
      if (call > 1) return good(request, response, call);
      response.writeHead(200, { "content-length": content.length });
      response.write(content.subarray(0, 70_000));
    });
    const controller = new AbortController();
    const onProgress = ({ done }: Progress): void => void (done >= 70_000 && controller.abort());
    await expect(get(url, { signal: controller.signal, onProgress })).rejects.toMatchObject({ name: "AbortError" });
    expect(new Uint8Array(await readFile(await get(url)))).toEqual(content);
    expect(asked[1]).toBe("bytes=70000-");
  });

  it("starts anew with a server that knows no ranges", async () => {
    const { url, asked } = await serve((request, response, call) =>
      call === 1 ? cut(100_000)(request, response, call) : void response.writeHead(200, { "content-length": content.length }).end(content),
    );
    expect(new Uint8Array(await readFile(await get(url)))).toEqual(content);
    expect(asked).toEqual([undefined, "bytes=100000-"]);
  });

  it("starts anew when what it kept belongs to another version", async () => {
    const other = content.map((v) => v ^ 1);
    const { url, asked } = await serve((request, response, call) => (call === 1 ? cut(100_000, other) : good)(request, response, call));
    expect(new Uint8Array(await readFile(await get(url)))).toEqual(content);
    expect(asked).toEqual([undefined, "bytes=100000-", undefined]);
  });

  it.each([
    ["all of it", content.length],
    ["more than there is", content.length + 5],
  ])("takes a part that holds %s", async (_, bytes) => {
    const { url, asked } = await serve(good);
    await mkdir(join(folder, sha256));
    const part = new Uint8Array(bytes);
    part.set(content);
    await writeFile(join(folder, sha256, "resnet18.pth.part"), part);
    expect(new Uint8Array(await readFile(await get(url)))).toEqual(content);
    expect(asked).toEqual(bytes === content.length ? [`bytes=${bytes}-`] : [`bytes=${bytes}-`, undefined]);
  });

  it("refuses and removes a file with another checksum", async () => {
    const { url } = await serve(good);
    const wrong = "0".repeat(64);
    const error = await failure(get(url, { sha256: wrong }));
    expect(error).toMatchObject({ code: "CHECKSUM_MISMATCH", data: { found: sha256, expected: wrong } });
    expect(error.message).not.toContain("secret");
    expect(await readdir(folder)).toEqual([]);
  });

  it("fetches a file again that changed in the cache", async () => {
    const { url, asked } = await serve(good);
    const path = await get(url);
    await writeFile(path, "tampered with");
    expect(await get(url)).toBe(path);
    expect(new Uint8Array(await readFile(path))).toEqual(content);
    expect(asked.length).toBe(2);
  });

  it("follows redirects, and sends its headers to the first host only", async () => {
    let sent: string | undefined;
    const second = await serve((request, response, call) => {
      sent = request.headers.authorization;
      good(request, response, call);
    });
    const { url } = await serve((request, response) => {
      expect(request.headers.authorization).toBe("Bearer abc");
      response.writeHead(302, { location: second.url }).end();
    });
    const path = await get(url, { network: { ...network, headers: { authorization: "Bearer abc" } } });
    expect(new Uint8Array(await readFile(path))).toEqual(content);
    expect(sent).toBeUndefined();
  });
});

function refuse(status: number): Handler {
  return (_, response) => void response.writeHead(status).end();
}

describe("downloadFile refuses", () => {
  it.each<[string, Handler, string, number]>([
    ["a file that is not there", refuse(404), "FILE_NOT_FOUND", 1],
    ["a server that wants a login", refuse(401), "NETWORK_FAILED", 1],
    ["a server that is broken", refuse(500), "NETWORK_FAILED", 2],
    ["a server without an answer", () => undefined, "NETWORK_FAILED", 2],
    ["a server that falls silent", (_, response) => void response.writeHead(200, { "content-length": 9 }).write("a"), "NETWORK_FAILED", 2],
    ["a compressed answer", (_, response) => void response.writeHead(200, { "content-encoding": "gzip" }).end("a"), "NETWORK_FAILED", 1],
    [
      "redirects without end",
      (request, response) => void response.writeHead(302, { location: `${request.url}x` }).end(),
      "NETWORK_FAILED",
      4,
    ],
    [
      "a redirect to a file",
      (_, response) => void response.writeHead(302, { location: "file:///etc/passwd" }).end(),
      "NETWORK_NOT_ALLOWED",
      1,
    ],
    [
      "a file that says it is too large",
      (_, response) => void response.writeHead(200, { "content-length": 2e6 }).end(),
      "LIMIT_EXCEEDED",
      1,
    ],
    [
      "a file without end",
      (_, response) => {
        response.writeHead(200);
        const more = (): void => void (response.destroyed || response.write(content, more));
        more();
      },
      "LIMIT_EXCEEDED",
      1,
    ],
  ])("%s", async (_, handler, code, requests) => {
    const { url, asked } = await serve(handler);
    const error = await failure(get(url, { maxBytes: 1e6 }));
    expect(error).toMatchObject({ name: "GeoLearnError", code });
    expect(error.message).not.toContain("secret");
    expect(asked.length).toBe(requests);
  });

  it("to call a computer without a connection anything else", async () => {
    // A name that is reserved never to exist.
    const error = await failure(get("https://models.invalid/resnet18.pth"));
    expect(error).toMatchObject({ code: "NETWORK_FAILED", data: { offline: true, kept: 0 } });
    expect(error.message).toMatch(/cannot be reached: this computer seems to be offline, or models\.invalid does not exist/);
    expect(error.hint).toMatch(/give its path/);
  });

  it("a port nobody listens at", async () => {
    const { url } = await serve(good);
    const server = servers.splice(0)[0]!;
    await new Promise((resolve) => server.close(resolve));
    await expect(get(url)).rejects.toMatchObject({ code: "NETWORK_FAILED", data: { offline: false } });
  });

  it("private addresses unless they are allowed, before it asks", async () => {
    const { url, asked } = await serve(good);
    await expect(get(url, { network: {} })).rejects.toMatchObject({ code: "NETWORK_NOT_ALLOWED" });
    expect(asked).toEqual([]);
    expect(await readdir(folder)).toEqual([]);
  });

  it.each<[string, string, string, string]>([
    ["no address", "resnet18.pth", sha256, "INVALID_ARGUMENT"],
    ["a checksum that is none", "https://example.org/a", "f37072fd", "INVALID_ARGUMENT"],
    ["another protocol", "ftp://example.org/a", sha256, "NETWORK_NOT_ALLOWED"],
    ["a password in the address", "https://ada:secret@example.org/a", sha256, "NETWORK_NOT_ALLOWED"],
  ])("%s", async (_, url, checksum, code) => {
    await expect(get(url, { sha256: checksum })).rejects.toMatchObject({ code });
  });

  it("to write where another process is at it", async () => {
    const { url } = await serve(good);
    await mkdir(join(folder, sha256));
    const unlock = await lockFolder(join(folder, sha256));
    await expect(get(url)).rejects.toMatchObject({ code: "OUTPUT_LOCKED" });
    await unlock();
    expect(await get(url)).toContain("resnet18.pth");
  });

  it("names that are no names", async () => {
    const { url } = await serve(good);
    const at = async (path: string): Promise<string> => (await get(new URL(path, url).href)).slice(join(folder, sha256).length + 1);
    expect(await at("/")).toBe("file");
    expect(await at("/a/%2e%2e%2fetc%2fpasswd")).toBe("_2e_2e_2fetc_2fpasswd");
    expect(await at("/.geolearn.lock")).toBe("geolearn.lock");
  });
});

describe("cacheFolder", () => {
  it.each<[object, string, string]>([
    [{ GEOLEARN_CACHE: "/data/cache", XDG_CACHE_HOME: "/xdg" }, "linux", "/data/cache"],
    [{ XDG_CACHE_HOME: "/xdg" }, "linux", "/xdg/geolearn"],
    [{ XDG_CACHE_HOME: "relative" }, "linux", join(homedir(), ".cache/geolearn")],
    [{ GEOLEARN_CACHE: "" }, "linux", join(homedir(), ".cache/geolearn")],
    [{}, "darwin", join(homedir(), "Library/Caches/geolearn")],
    [{ LOCALAPPDATA: "/local" }, "win32", "/local/geolearn/Cache"],
  ])("of %j on %s is %s", (env, platform, folderThere) => {
    expect(cacheFolder(env as Record<string, string>, platform)).toBe(folderThere);
  });
});
