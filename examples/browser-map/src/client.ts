/** The worker, as functions that give promises. */

import type { Reply, Tasks } from "./messages.ts";

/** A failure as the worker told it. */
export class TaskFailure extends Error {
  readonly code: string;
  readonly hint: string | null;

  constructor(message: string, code: string, hint: string | null) {
    super(message);
    this.code = code;
    this.hint = hint;
  }
}

interface Waiting {
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: unknown) => void;
  readonly progress: (done: number, total: number) => void;
}

/** Asks the worker for a task. */
export type Ask = <T extends keyof Tasks>(
  task: T,
  ask: Tasks[T]["ask"],
  progress?: (done: number, total: number) => void,
) => Promise<Tasks[T]["answer"]>;

/** Starts the worker. */
export function startWorker(address: URL): Ask {
  const worker = new Worker(address, { type: "module" });
  const waiting = new Map<number, Waiting>();
  let next = 1;
  worker.onmessage = ({ data: reply }: MessageEvent<Reply>) => {
    const asked = waiting.get(reply.id);
    if (asked === undefined) return;
    if (reply.kind === "progress") {
      asked.progress(reply.done, reply.total);
      return;
    }
    waiting.delete(reply.id);
    if (reply.kind === "answer") asked.resolve(reply.answer);
    else asked.reject(new TaskFailure(reply.message, reply.code, reply.hint));
  };
  worker.onerror = (event) => {
    for (const { reject } of waiting.values()) reject(new TaskFailure(event.message || "The worker could not be loaded.", "UNKNOWN", null));
    waiting.clear();
  };
  return (task, ask, progress = () => undefined) =>
    new Promise((resolve, reject) => {
      const id = next++;
      waiting.set(id, { resolve: resolve as (answer: unknown) => void, reject, progress });
      worker.postMessage({ id, task, ask });
    });
}
