/** What may be there at once: native sessions answer within the call, those of a browser later. */

/** A value, or the promise of one. */
export type Eventually<T> = T | Promise<T>;

/** Goes on with a value: at once when it is there, else when it has come. */
export function after<T, U>(value: Eventually<T>, next: (value: T) => Eventually<U>): Eventually<U> {
  return value instanceof Promise ? value.then(next) : next(value);
}
