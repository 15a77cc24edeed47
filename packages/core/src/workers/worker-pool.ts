/**
 * A few workers that answer requests. A worker that hangs, dies or runs out of memory fails its request with a typed error
 * and is replaced; idle workers do not keep the process alive.
 */

import { availableParallelism } from "node:os";
import type { ResourceLimits, TransferListItem, Worker } from "node:worker_threads";

import { GeoLearnError } from "../errors.ts";
import { createWorker } from "./create-worker.ts";
import { fromFailure, type ReplyMessage, type RequestMessage } from "./messages.ts";

/** Options of a {@link WorkerPool}. */
export interface WorkerPoolOptions {
  /** Workers at most; they are started when needed. @defaultValue cores - 1, at least 1 */
  readonly size?: number;
  /** Time for one request, in milliseconds, from the moment a worker has it; Infinity for none. @defaultValue 30000 */
  readonly deadline?: number;
  /** Memory limits of each worker. */
  readonly resourceLimits?: ResourceLimits;
  /** Given to each worker as `workerData`. */
  readonly workerData?: unknown;
}

/** Options of one request. */
export interface WorkerRunOptions {
  /** Buffers handed over instead of copied. */
  readonly transfer?: readonly TransferListItem[];
  /** Cancels the request: a queued one is dropped, a running one ends its worker. */
  readonly signal?: AbortSignal;
  /** The request writes files: a running one that is cancelled ends by itself, so that nothing stays half-written. @defaultValue false */
  readonly writes?: boolean;
  /** Time for this request in milliseconds. @defaultValue the pool's */
  readonly deadline?: number;
}

/** Starting a thread and loading its code is not part of a request's deadline; it has this one. */
const START_DEADLINE_MS = 120_000;

interface Job {
  readonly id: number;
  readonly request: unknown;
  readonly transfer: readonly TransferListItem[];
  readonly deadline: number;
  readonly writes: boolean;
  readonly resolve: (reply: unknown) => void;
  readonly reject: (error: unknown) => void;
}

interface Member {
  readonly worker: Worker;
  ready: boolean;
  job: Job | null;
  timer: NodeJS.Timeout | null;
}

/**
 * Request and response over worker threads; the worker's file ends with a call of `serveRequests`.
 *
 * @example
 * const pool = new WorkerPool<Tile, Uint8Array>(import.meta.url, "decode.worker", { size: 2, deadline: 30_000 });
 * const pixels = await pool.run(tile, { transfer: [tile.bytes.buffer], signal });
 * await pool.close();
 */
export class WorkerPool<Request, Reply> {
  /** Workers at most. */
  readonly size: number;
  readonly #start: () => Worker;
  readonly #name: string;
  readonly #deadline: number;
  readonly #members = new Set<Member>();
  readonly #queue: Job[] = [];
  #nextId = 1;
  #closed = false;

  constructor(importMetaUrl: string, name: string, options: WorkerPoolOptions = {}) {
    this.size = Math.max(1, Math.floor(options.size ?? availableParallelism() - 1));
    this.#name = name;
    this.#deadline = options.deadline ?? 30_000;
    this.#start = () =>
      createWorker(importMetaUrl, name, {
        name,
        workerData: options.workerData,
        ...(options.resourceLimits === undefined ? {} : { resourceLimits: options.resourceLimits }),
      });
  }

  /**
   * Sends one request and waits for its reply. Rejects with what the worker threw, with TIMEOUT, with LIMIT_EXCEEDED when the
   * worker died or ran out of memory, or with the signal's reason.
   */
  run(request: Request, options: WorkerRunOptions = {}): Promise<Reply> {
    const { signal } = options;
    return new Promise<Reply>((resolve, reject) => {
      if (this.#closed) {
        reject(new GeoLearnError("INVALID_ARGUMENT", `The worker pool ${this.#name} is closed.`, { hint: "Ask before close()." }));
        return;
      }
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const job: Job = {
        id: this.#nextId++,
        request,
        transfer: options.transfer ?? [],
        deadline: options.deadline ?? this.#deadline,
        writes: options.writes ?? false,
        resolve: (reply) => {
          signal?.removeEventListener("abort", cancel);
          resolve(reply as Reply);
        },
        reject: (error) => {
          signal?.removeEventListener("abort", cancel);
          reject(error);
        },
      };
      const cancel = (): void => this.#cancel(job, signal?.reason);
      signal?.addEventListener("abort", cancel, { once: true });
      this.#queue.push(job);
      this.#assign();
    });
  }

  /** Starts all workers now, so that later requests find them ready. */
  prepare(): void {
    while (!this.#closed && this.#members.size < this.size) this.#add();
  }

  /** Workers that have started and have nothing to do. */
  get idle(): number {
    let count = 0;
    for (const { ready, job } of this.#members) if (ready && job === null) count++;
    return count;
  }

  /** Ends all workers; requests not yet answered are rejected. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const error = new GeoLearnError("INVALID_ARGUMENT", `The worker pool ${this.#name} was closed before the answer came.`, {
      hint: "Await every request before close().",
    });
    for (const job of this.#queue.splice(0)) job.reject(error);
    await Promise.all([...this.#members].map((member) => this.#discard(member, error)));
  }

  #assign(): void {
    while (this.#queue.length > 0) {
      const member = this.#idleMember();
      if (member === null) return;
      this.#give(member, this.#queue.shift()!);
    }
  }

  #idleMember(): Member | null {
    for (const member of this.#members) if (member.job === null && member.ready) return member;
    for (const member of this.#members) if (member.job === null) return member;
    return this.#members.size < this.size ? this.#add() : null;
  }

  #add(): Member {
    const worker = this.#start();
    const member: Member = { worker, ready: false, job: null, timer: null };
    this.#members.add(member);
    worker.on("message", (message: ReplyMessage) => this.#receive(member, message));
    worker.on("messageerror", (cause) => this.#lose(member, cause));
    worker.on("error", (cause) => this.#lose(member, cause));
    worker.on("exit", () => this.#lose(member, undefined));
    worker.unref();
    return member;
  }

  #give(member: Member, job: Job): void {
    member.job = job;
    member.worker.ref();
    this.#startTimer(member);
    try {
      const message: RequestMessage = { id: job.id, request: job.request };
      member.worker.postMessage(message, job.transfer);
    } catch (cause) {
      this.#finish(member)?.reject(cause);
    }
  }

  #startTimer(member: Member): void {
    if (member.timer !== null) clearTimeout(member.timer);
    member.timer = null;
    const limit = member.ready ? member.job!.deadline : START_DEADLINE_MS;
    if (limit === Infinity) return;
    member.timer = setTimeout(() => {
      const error = new GeoLearnError("TIMEOUT", `The worker ${this.#name} did not answer within ${limit} ms.`, {
        hint: "The input is damaged or needs more time: raise the deadline if it is known to be good.",
        data: { deadline: limit },
      });
      void this.#discard(member, error).then(() => this.#assign());
    }, limit);
  }

  #receive(member: Member, message: ReplyMessage): void {
    if (message.kind === "ready") {
      member.ready = true;
      if (member.job !== null) this.#startTimer(member);
      return;
    }
    if (member.job?.id !== message.id) return;
    const job = this.#finish(member)!;
    if (message.kind === "reply") job.resolve(message.reply);
    else job.reject(fromFailure(message.failure));
    this.#assign();
  }

  /** Frees the member for the next request and returns the one it had. */
  #finish(member: Member): Job | null {
    const { job } = member;
    if (member.timer !== null) clearTimeout(member.timer);
    member.timer = null;
    member.job = null;
    member.worker.unref();
    return job;
  }

  #cancel(job: Job, reason: unknown): void {
    const queued = this.#queue.indexOf(job);
    if (queued >= 0) {
      this.#queue.splice(queued, 1);
      job.reject(reason);
      return;
    }
    if (job.writes) return;
    for (const member of this.#members) {
      if (member.job === job) void this.#discard(member, reason).then(() => this.#assign());
    }
  }

  /** The worker ended by itself: an uncaught error, no memory left, or `process.exit` inside it. */
  #lose(member: Member, cause: unknown): void {
    if (!this.#members.has(member)) return;
    const text = cause instanceof Error ? cause.message : typeof cause === "string" ? cause : "it exited";
    const error = new GeoLearnError("LIMIT_EXCEEDED", `The worker ${this.#name} ended before it answered: ${text}.`, {
      hint: "The input is damaged or needs more memory than a worker has.",
      cause,
    });
    void this.#discard(member, error).then(() => this.#assign());
  }

  async #discard(member: Member, error: unknown): Promise<void> {
    this.#members.delete(member);
    this.#finish(member)?.reject(error);
    await member.worker.terminate();
  }
}
