import { existsSync, readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

import { afterEach, describe, expect, test } from "vitest";

import { openRaster } from "../open-raster.ts";
import { sharedData } from "../peers.testing.ts";
import { httpSource } from "./http-source.ts";
import { checkAddress, isPublicAddress, type NetworkPolicy } from "./network-policy.ts";

const content = Uint8Array.from({ length: 300_000 }, (_, i) => (i * 31) & 255);
const loopback: NetworkPolicy = { allowPrivate: true, timeout: 400, retries: 2 };
const servers: Server[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

async function serve(handler: Handler): Promise<{ url: string; requests: () => number }> {
  let count = 0;
  const server = createServer((request, response) => {
    count++;
    handler(request, response);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/scene.tif?token=secret`, requests: () => count };
}

function range(request: IncomingMessage): [number, number] {
  const [, from, to] = /bytes=(\d+)-(\d+)/.exec(request.headers.range ?? "")!;
  return [Number(from), Math.min(Number(to), content.length - 1)];
}

const good: Handler = (request, response) => {
  const [from, to] = range(request);
  response.writeHead(206, { "content-range": `bytes ${from}-${to}/${content.length}`, etag: '"a"' });
  response.end(content.subarray(from, to + 1));
};

describe("reading by ranges", () => {
  test("gives the bytes asked for, and the head without asking again", async () => {
    const { url, requests } = await serve(good);
    const source = await httpSource(url, loopback);
    expect(source.size).toBe(content.length);
    expect(source.name).not.toContain("secret");
    expect(await source.read(10, 100)).toEqual(content.slice(10, 110));
    expect(requests()).toBe(1);
    expect(await source.read(200_000, 77)).toEqual(content.slice(200_000, 200_077));
    expect(requests()).toBe(2);
    await expect(source.read(299_999, 2)).rejects.toMatchObject({ code: "RASTER_CORRUPT" });
    await source.close();
  });

  test("repeats what may pass: errors of the server, cut answers, silence", async () => {
    let calls = 0;
    const { url } = await serve((request, response) => {
      calls++;
      if (calls === 1) response.writeHead(503).end();
      else if (calls === 2) {
        response.writeHead(206, { "content-range": `bytes 0-65535/${content.length}`, "content-length": "65536" });
        response.write(content.subarray(0, 100));
        response.destroy();
      } else good(request, response);
    });
    const source = await httpSource(url, loopback);
    expect(calls).toBe(3);
    await source.close();
  });

  const hostile: Record<string, Handler> = {
    "no ranges": (_, response) => response.writeHead(200).end(content),
    "another range": (_, response) =>
      response.writeHead(206, { "content-range": `bytes 5-65540/${content.length}` }).end(content.subarray(0, 65536)),
    "no range told": (_, response) => response.writeHead(206).end(content.subarray(0, 65536)),
    "a longer body": (_, response) => response.writeHead(206, { "content-range": `bytes 0-65535/${content.length}` }).end(content),
    "a shorter body": (_, response) =>
      response.writeHead(206, { "content-range": `bytes 0-65535/${content.length}` }).end(content.subarray(0, 9)),
    "an endless body": (_, response) => {
      response.writeHead(206, { "content-range": `bytes 0-65535/${content.length}` });
      const more = (): void => void (response.destroyed || response.write(content, more));
      more();
    },
    "a compressed body": (_, response) =>
      response
        .writeHead(206, { "content-range": `bytes 0-65535/${content.length}`, "content-encoding": "gzip" })
        .end(content.subarray(0, 65536)),
    "no answer": () => undefined,
    "one byte at a time": (_, response) => {
      response.writeHead(206, { "content-range": `bytes 0-65535/${content.length}` });
      const timer = setInterval(() => response.write("x"), 50);
      response.once("close", () => clearInterval(timer));
    },
    "errors for ever": (_, response) => response.writeHead(500).end(),
    "too many requests for ever": (_, response) => response.writeHead(429).end(),
    forbidden: (_, response) => response.writeHead(403).end(),
    "redirects without end": (request, response) => response.writeHead(302, { location: `${request.url}x` }).end(),
  };
  test.each(Object.entries(hostile))("refuses a server that gives %s", async (_, handler) => {
    const { url, requests } = await serve(handler);
    const start = performance.now();
    const error: unknown = await httpSource(url, loopback).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "NETWORK_FAILED" });
    expect((error as Error).message).not.toContain("secret");
    expect(requests()).toBeLessThanOrEqual(4);
    expect(performance.now() - start).toBeLessThan(10_000);
  });

  test("refuses a file that changes while it is read", async () => {
    let version = 0;
    const { url } = await serve((request, response) => {
      const [from, to] = range(request);
      response.writeHead(206, { "content-range": `bytes ${from}-${to}/${content.length}`, etag: `"${version++}"` });
      response.end(content.subarray(from, to + 1));
    });
    const source = await httpSource(url, loopback);
    await expect(source.read(100_000, 5)).rejects.toMatchObject({
      code: "NETWORK_FAILED",
      message: expect.stringContaining("replaced") as string,
    });
    await source.close();
  });

  test("a missing file is not found", async () => {
    const { url } = await serve((_, response) => response.writeHead(404).end());
    await expect(httpSource(url, loopback)).rejects.toMatchObject({ code: "FILE_NOT_FOUND" });
  });

  test("cancelling ends a request that hangs", async () => {
    const { url } = await serve(() => undefined);
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 50);
    await expect(httpSource(url, { ...loopback, timeout: 5000 }, controller.signal)).rejects.toMatchObject({ name: "AbortError" });
  });
});

const cog = join(sharedData, "geotiff-zoo/original/cogeo.tif");
test.skipIf(!existsSync(cog))("a Cloud-Optimized GeoTIFF is read in pieces and equal to the local file", async () => {
  const file = readFileSync(cog);
  let sent = 0;
  const { url } = await serve((request, response) => {
    const [, from, to] = /bytes=(\d+)-(\d+)/.exec(request.headers.range ?? "")!.map(Number) as [number, number, number];
    const part = file.subarray(from, to + 1);
    sent += part.length;
    response.writeHead(206, { "content-range": `bytes ${from}-${from + part.length - 1}/${file.length}` }).end(part);
  });
  const remote = await openRaster(url, { network: loopback });
  const local = await openRaster(cog);
  const window = { col: 300, row: 300, width: 100, height: 100 };
  expect(await remote.read(window)).toEqual(await local.read(window));
  expect(sent).toBeLessThan(file.length / 2);
  expect((await remote.read(undefined, { width: 64, height: 64 })).data).toEqual(
    (await local.read(undefined, { width: 64, height: 64 })).data,
  );
  await Promise.all([remote.close(), local.close()]);
});

describe("what may be reached", () => {
  test("nothing unless allowed; local files of other schemes never", async () => {
    await expect(openRaster("https://example.org/a.tif")).rejects.toMatchObject({ code: "NETWORK_NOT_ALLOWED" });
    for (const address of ["ftp://example.org/a.tif", "data://x", "gopher://example.org"]) {
      await expect(openRaster(address, { network: true })).rejects.toMatchObject({ code: "NETWORK_NOT_ALLOWED" });
    }
  });

  const refused = [
    "http://127.0.0.1/", "http://localhost/", "http://0.0.0.0/", "http://[::1]/", "http://[::]/", "http://[::ffff:127.0.0.1]/", "http://[::ffff:7f00:1]/",
    "http://2130706433/", "http://0177.0.0.1/", "http://0x7f.1/", "http://127.1/", "http://10.1.2.3/", "http://172.16.0.1/", "http://172.31.255.255/",
    "http://192.168.1.1/", "http://169.254.169.254/latest/meta-data", "http://100.64.0.1/", "http://192.0.0.1/", "http://198.18.0.1/", "http://224.0.0.1/",
    "http://255.255.255.255/", "http://[fe80::1]/", "http://[fc00::1]/", "http://[fd12::1]/", "http://[ff02::1]/", "http://[64:ff9b::7f00:1]/",
    "http://[2002:7f00:1::]/", "http://[::127.0.0.1]/", "http://user:password@example.org/", "http://example.org@127.0.0.1/", "http://127.0.0.1:80/",
    "http://%31%32%37.0.0.1/", "http://\u2460\u2461\u2466.0.0.1/", "http://localhost./", "http://sub.localhost/", "http://240.0.0.1/", "http://203.0.113.5/",
    "http://[2001:db8::1]/", "http://[fec0::1]/", "http://0/",
  ]; // prettier-ignore
  test.each(refused)("refuses %s", async (address) => {
    const error: unknown = await openRaster(address, { network: { retries: 0, timeout: 2000 } }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "NETWORK_NOT_ALLOWED" });
  });

  test("a redirect is checked like the first address", async () => {
    const inner = await serve(good);
    const { url } = await serve((_, response) => response.writeHead(302, { location: inner.url.replace("127.0.0.1", "localhost") }).end());
    const policy: NetworkPolicy = { ...loopback, hosts: ["127.0.0.1"] };
    await expect(httpSource(url, policy)).rejects.toMatchObject({ code: "NETWORK_NOT_ALLOWED" });
    expect(inner.requests()).toBe(0);
  });

  test("only the hosts of the policy, and those below a leading dot", () => {
    const policy: NetworkPolicy = { hosts: ["example.org", ".example.com"] };
    for (const good of ["https://example.org/", "https://a.b.example.com/"])
      expect(() => checkAddress(new URL(good), policy)).not.toThrow();
    for (const bad of ["https://example.com/", "https://notexample.com/", "https://example.org.evil.net/"]) {
      expect(() => checkAddress(new URL(bad), policy)).toThrow();
    }
    expect([isPublicAddress("8.8.8.8"), isPublicAddress("2606:4700::1111"), isPublicAddress("nonsense")]).toEqual([true, true, false]);
  });
});
