/**
 * What colour alone can tell: for each colour (32 steps a band) the share of building pixels where the network trained, and
 * the threshold on it that fits best there. A network worth training must beat this on land neither has seen.
 */

/** A part of a scene: three bands and which pixels are buildings. */
export interface ColourSample {
  /** `[3, pixels]`, red, green, blue. */
  readonly pixels: Uint8Array;
  /** 1 = building. */
  readonly truth: Uint8Array;
}

/** Building IoU of the best colour rule, fitted on one part and judged on the other. */
export function colourBaselineIou(train: ColourSample, test: ColourSample): number {
  const share = buildingShareByColour(train);
  let best = { threshold: 0.5, iou: -1 };
  for (let percent = 5; percent <= 95; percent += 5) {
    const iou = ruleIou(train, share, percent / 100);
    if (iou > best.iou) best = { threshold: percent / 100, iou };
  }
  return ruleIou(test, share, best.threshold);
}

function buildingShareByColour({ pixels, truth }: ColourSample): Float64Array {
  const buildings = new Float64Array(COLOURS);
  const all = new Float64Array(COLOURS);
  for (let i = 0; i < truth.length; i++) {
    const colour = colourIndex(pixels, i);
    all[colour]! += 1;
    buildings[colour]! += truth[i]!;
  }
  return buildings.map((count, i) => (all[i] === 0 ? 0 : count / all[i]!));
}

function ruleIou({ pixels, truth }: ColourSample, share: Float64Array, threshold: number): number {
  let both = 0;
  let either = 0;
  for (let i = 0; i < truth.length; i++) {
    const predicted = share[colourIndex(pixels, i)]! > threshold;
    if (predicted && truth[i] === 1) both++;
    if (predicted || truth[i] === 1) either++;
  }
  return either === 0 ? 0 : both / either;
}

const COLOURS = 32 * 32 * 32;

function colourIndex(pixels: Uint8Array, i: number): number {
  const plane = pixels.length / 3;
  return ((pixels[i]! >> 3) << 10) | ((pixels[plane + i]! >> 3) << 5) | (pixels[2 * plane + i]! >> 3);
}
