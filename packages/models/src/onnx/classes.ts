/** Classes from what a spec or a file says of them. */

import type { ClassDefinition } from "@geolearn/core";

/** A class as a spec writes it: a name, or with value and colour. */
export type ClassSpec =
  | string
  | { readonly name: string; readonly value?: number | undefined; readonly color?: readonly [number, number, number] | undefined };

/** Complete classes in the order of the network's outputs: values count from 0, colours lie far apart, where nothing else is said. */
export function classesFrom(list: readonly ClassSpec[]): readonly ClassDefinition[] {
  return list.map((given, index) => {
    const { name, value = index, color } = typeof given === "string" ? { name: given } : given;
    return { value, name, color: color ?? (index === 0 ? [0, 0, 0] : wheel(index)) };
  });
}

/** Golden-angle hues at full saturation. */
function wheel(index: number): [number, number, number] {
  const hue = (index * 137.508) % 360;
  const channel = (shift: number): number => {
    const k = (shift + hue / 60) % 6;
    return Math.round(255 * (1 - Math.max(0, Math.min(k, 4 - k, 1))));
  };
  return [channel(5), channel(3), channel(1)];
}
