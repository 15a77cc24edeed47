/** What travels between a {@link WorkerPool} and its workers. */

import { type ErrorCode, GeoLearnError } from "../errors.ts";

/** To the worker. */
export interface RequestMessage {
  readonly id: number;
  readonly request: unknown;
}

/** From the worker: ready once, then one reply or failure per request. */
export type ReplyMessage =
  | { readonly kind: "ready" }
  | { readonly kind: "reply"; readonly id: number; readonly reply: unknown }
  | { readonly kind: "failure"; readonly id: number; readonly failure: Failure };

/** An error in a form that survives structured cloning. */
export interface Failure {
  readonly code: ErrorCode | null;
  readonly message: string;
  readonly hint: string | undefined;
  readonly data: Readonly<Record<string, unknown>>;
}

/** Any thrown value, strings included, as a {@link Failure}. */
export function toFailure(thrown: unknown): Failure {
  if (GeoLearnError.is(thrown)) {
    return { code: thrown.code, message: thrown.message, hint: thrown.hint, data: thrown.data };
  }
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return { code: null, message, hint: undefined, data: {} };
}

/** The error a {@link Failure} stands for; one without a code becomes a plain `Error`. */
export function fromFailure(failure: Failure): Error {
  if (failure.code === null) return new Error(failure.message);
  return new GeoLearnError(failure.code, failure.message, {
    ...(failure.hint === undefined ? {} : { hint: failure.hint }),
    data: failure.data,
  });
}
