/** Colours for classes that come without one. */

import type { Rgb } from "@geolearn/core";

/** Colour of the background in pictures of labels. */
export const BACKGROUND_COLOR: Rgb = [0, 0, 0];

/**
 * A colour for the `index`-th class, from 0: hues a golden angle apart, so that any number of neighbours differ.
 */
export function paletteColor(index: number): Rgb {
  const hue = (index * 137.50776405003785 + 350) % 360;
  const lightness = [0.5, 0.38, 0.64][Math.floor(index / 8) % 3]!;
  return hslToRgb(hue, 0.72, lightness);
}

/** Formula of CSS Color 4, section 7.1. */
function hslToRgb(hue: number, saturation: number, lightness: number): Rgb {
  const chroma = saturation * Math.min(lightness, 1 - lightness);
  const channel = (n: number): number => {
    const k = (n + hue / 30) % 12;
    return Math.round(255 * (lightness - chroma * Math.max(-1, Math.min(k - 3, 9 - k, 1))));
  };
  return [channel(0), channel(8), channel(4)];
}
