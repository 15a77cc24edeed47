/** Parts of a pending graph that have nothing to do with each other. */

import type { Value } from "./value.ts";

/**
 * Groups values by what they are computed from: two are together when they share an operation that has not run. A training step is then always
 * the same graph, whatever else (sums of losses, say) waits beside it.
 */
export function componentsOf(values: readonly Value[]): Value[][] {
  const group = new Map<Value, Value>();
  const root = (value: Value): Value => {
    let at = value;
    while (group.get(at) !== at) {
      const next = group.get(group.get(at)!)!;
      group.set(at, next);
      at = next;
    }
    return at;
  };
  const stack: Value[] = [];
  for (const value of values) {
    if (!group.has(value)) {
      group.set(value, value);
      stack.push(value);
    }
    while (stack.length > 0) {
      const top = stack.pop()!;
      for (const input of top.inputs) {
        if (input.host !== null) continue;
        if (!group.has(input)) {
          group.set(input, input);
          stack.push(input);
        }
        group.set(root(input), root(top));
      }
    }
  }
  const groups = new Map<Value, Value[]>();
  for (const value of values) {
    const key = root(value);
    const members = groups.get(key);
    if (members === undefined) groups.set(key, [value]);
    else members.push(value);
  }
  return [...groups.values()];
}
