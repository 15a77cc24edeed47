/** World files: six lines beside an image that say where it lies. */

import type { Affine } from "../affine.ts";

/**
 * The transform of a world file's text, or null when it is none. The file speaks of the centre of the first pixel; the
 * result of its outer corner.
 */
export function parseWorldFile(text: string): Affine | null {
  const values = text
    .trim()
    .split(/\s+/)
    .map((word) => Number(word.replace(",", ".")));
  if (values.length < 6 || !values.slice(0, 6).every(Number.isFinite)) return null;
  const [a, d, b, e, x, y] = values as [number, number, number, number, number, number];
  if (a * e - b * d === 0) return null;
  return [a, b, x - 0.5 * (a + b), d, e, y - 0.5 * (d + e)];
}

/** Names a world file of an image may have: `scene.jgw`, `scene.jpgw`, `scene.wld`, in lower and upper case. */
export function worldFileNames(path: string): string[] {
  const found = /^(.*)\.([^./\\]+)$/.exec(path);
  if (found === null) return [];
  const [, stem, extension] = found as unknown as [string, string, string];
  const short = `${extension[0]}${extension[extension.length - 1]}w`;
  const endings = [short, `${extension}w`, "wld"];
  return [...endings, ...endings.map((ending) => ending.toUpperCase())].map((ending) => `${stem}.${ending}`);
}
