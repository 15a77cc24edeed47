import { afterEach, expect, test } from "vitest";

import { GeoLearnError } from "../errors.ts";
import { WorkerPool, type WorkerPoolOptions } from "./worker-pool.ts";

interface Act {
  readonly act: string;
  readonly value?: unknown;
}

const pools: WorkerPool<Act, unknown>[] = [];
function pool(options: WorkerPoolOptions = {}): WorkerPool<Act, unknown> {
  const made = new WorkerPool<Act, unknown>(import.meta.url, "echo.worker", { size: 1, ...options });
  pools.push(made);
  return made;
}
afterEach(async () => {
  for (const made of pools.splice(0)) await made.close();
});

test("answers in the order of the requests, from one and from two workers", async () => {
  for (const size of [1, 2]) {
    const values = Array.from({ length: 20 }, (_, i) => i);
    const workers = pool({ size });
    expect(await Promise.all(values.map((value) => workers.run({ act: "echo", value })))).toEqual(values);
  }
});

test("hands buffers over instead of copying", async () => {
  const bytes = new Uint8Array([1, 2, 3]);
  const reply = await pool().run({ act: "echo", value: bytes }, { transfer: [bytes.buffer] });
  expect(reply).toEqual(new Uint8Array([1, 2, 3]));
  expect(bytes.byteLength).toBe(0);
});

test("a worker that hangs fails with TIMEOUT and is replaced", async () => {
  const workers = pool({ deadline: 200 });
  await expect(workers.run({ act: "hang" })).rejects.toMatchObject({ code: "TIMEOUT" });
  expect(await workers.run({ act: "echo", value: 5 })).toBe(5);
});

test("a worker that exits or runs out of memory fails with LIMIT_EXCEEDED and is replaced", async () => {
  const workers = pool({ resourceLimits: { maxOldGenerationSizeMb: 64 } });
  await expect(workers.run({ act: "exit" })).rejects.toMatchObject({ code: "LIMIT_EXCEEDED" });
  await expect(workers.run({ act: "memory" })).rejects.toMatchObject({ code: "LIMIT_EXCEEDED" });
  expect(await workers.run({ act: "echo", value: 5 })).toBe(5);
});

test("a thrown string arrives as an Error", async () => {
  const error: unknown = await pool()
    .run({ act: "string" })
    .catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(Error);
  expect((error as Error).message).toBe("a bare string");
});

test("cancels a running and a queued request", async () => {
  const workers = pool();
  const controller = new AbortController();
  const running = workers.run({ act: "hang" }, { signal: controller.signal });
  const queued = workers.run({ act: "hang" }, { signal: controller.signal });
  setTimeout(() => controller.abort(), 100);
  await expect(running).rejects.toMatchObject({ name: "AbortError" });
  await expect(queued).rejects.toMatchObject({ name: "AbortError" });
  expect(await workers.run({ act: "echo", value: 1 })).toBe(1);
});

test("lets a running request that writes files end, and drops the queued one, when they are cancelled", async () => {
  const workers = pool();
  await workers.run({ act: "echo" });
  const controller = new AbortController();
  const options = { signal: controller.signal, writes: true };
  const running = workers.run({ act: "pause", value: 7 }, options);
  const queued = workers.run({ act: "pause" }, options);
  setTimeout(() => controller.abort(), 50);
  await expect(queued).rejects.toMatchObject({ name: "AbortError" });
  expect(await running).toBe(7);
});

test("refuses requests after close and rejects those that were waiting", async () => {
  const workers = pool();
  const waiting = workers.run({ act: "hang" });
  await Promise.all([expect(waiting).rejects.toSatisfy((error) => GeoLearnError.is(error)), workers.close()]);
  await expect(workers.run({ act: "echo" })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
});
