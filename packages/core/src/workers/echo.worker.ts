/** A worker for the tests of {@link WorkerPool}: answers, hangs, dies, throws strings, as told. */

import { serveRequests } from "./serve.ts";

serveRequests((request: { readonly act: string; readonly value?: unknown }) => {
  if (request.act === "hang") for (;;);
  if (request.act === "pause") Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
  if (request.act === "exit") process.exit(3);
  // eslint-disable-next-line no-throw-literal -- foreign decoders do
  if (request.act === "string") throw "a bare string";
  if (request.act === "memory") {
    const hoard: number[][] = [];
    for (;;) hoard.push(Array.from({ length: 100_000 }, (_, i) => i + 0.5));
  }
  return { reply: request.value };
});
