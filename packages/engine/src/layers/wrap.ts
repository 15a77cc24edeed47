/** Wrapping methods of tfjs's classes. */

/** A method as JavaScript sees it. */
export type Method = (this: unknown, ...given: unknown[]) => unknown;

/** Replaces a method by what `around` makes of it. Does nothing where there is no such method. */
// oxlint-disable-next-line typescript/no-explicit-any -- the wrapper names the type of `this` it needs
export function wrap(prototype: object, name: string, around: (former: Method) => (this: any, ...given: unknown[]) => unknown): void {
  const methods = prototype as Record<string, unknown>;
  const former = methods[name];
  if (typeof former === "function") methods[name] = around(former as Method);
}

/** Where a layer made by tfjs has its methods: the class that defines `name`. tfjs exports no classes of layers. */
export function prototypeWith(instance: object, name: string): object | null {
  for (
    let at: object | null = Object.getPrototypeOf(instance) as object | null;
    at !== null;
    at = Object.getPrototypeOf(at) as object | null
  )
    if (Object.hasOwn(at, name)) return at;
  return null;
}
