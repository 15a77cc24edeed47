/** The worker's side of a {@link WorkerPool}. */

import { parentPort, type TransferListItem } from "node:worker_threads";

import { GeoLearnError } from "../errors.ts";
import { type ReplyMessage, type RequestMessage, toFailure } from "./messages.ts";

/** What a handler returns: the reply, and the buffers to hand over instead of copying. */
export interface Served<Reply> {
  readonly reply: Reply;
  readonly transfer?: readonly TransferListItem[];
}

/**
 * Answers the requests of a {@link WorkerPool}, one at a time. Called once, at the end of a worker's file. Whatever the
 * handler throws (also a bare string) reaches the caller as an `Error`.
 *
 * @throws INVALID_ARGUMENT outside a worker thread.
 * @example
 * serveRequests((tile: { bytes: Uint8Array }) => {
 *   const pixels = decode(tile.bytes);
 *   return { reply: pixels, transfer: [pixels.buffer] };
 * });
 */
export function serveRequests<Request, Reply>(handler: (request: Request) => Served<Reply> | Promise<Served<Reply>>): void {
  const port = parentPort;
  if (port === null) {
    throw new GeoLearnError("INVALID_ARGUMENT", "serveRequests was called in the main thread; it belongs into a worker's file.", {
      hint: "Start the file with a WorkerPool.",
    });
  }
  const send = (message: ReplyMessage, transfer: readonly TransferListItem[] = []): void => port.postMessage(message, [...transfer]);
  const answer = async ({ id, request }: RequestMessage): Promise<void> => {
    try {
      const { reply, transfer } = await handler(request as Request);
      send({ kind: "reply", id, reply }, transfer);
    } catch (thrown) {
      send({ kind: "failure", id, failure: toFailure(thrown) });
    }
  };
  port.on("message", (message: RequestMessage) => void answer(message));
  send({ kind: "ready" });
}
