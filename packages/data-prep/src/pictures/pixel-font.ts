/**
 * A small font of 5 x 7 pixels (and one row below the line) for captions in pictures that are made pixel by pixel. Each character is five columns from
 * left to right, the lowest bit on top. Letters with accents lose them; what the font lacks is drawn as a box.
 */

import type { Rgb, RgbaImage } from "@geolearn/core";

/** Height and advance of a character at scale 1, pixels. */
export const GLYPH_HEIGHT = 7;
const GLYPH_WIDTH = 5;
export const GLYPH_ADVANCE = 6;

/** Characters from the blank (32) to the tilde (126), ten hexadecimal digits each. */
const GLYPHS =
  "0000000000" +
  "00005f0000" +
  "0007000700" +
  "147f147f14" +
  "242a7f2a12" +
  "2313086462" +
  "3649552250" +
  "0005030000" +
  "001c224100" +
  "0041221c00" +
  "14083e0814" +
  "08083e0808" +
  "0050300000" +
  "0808080808" +
  "0060600000" +
  "2010080402" +
  "3e5149453e" +
  "00427f4000" +
  "4261514946" +
  "2141454b31" +
  "1814127f10" +
  "2745454539" +
  "3c4a494930" +
  "0171090503" +
  "3649494936" +
  "064949291e" +
  "0036360000" +
  "0056360000" +
  "0814224100" +
  "1414141414" +
  "0041221408" +
  "0201510906" +
  "324979413e" +
  "7e1111117e" +
  "7f49494936" +
  "3e41414122" +
  "7f4141221c" +
  "7f49494941" +
  "7f09090901" +
  "3e4149497a" +
  "7f0808087f" +
  "00417f4100" +
  "2040413f01" +
  "7f08142241" +
  "7f40404040" +
  "7f020c027f" +
  "7f0408107f" +
  "3e4141413e" +
  "7f09090906" +
  "3e4151215e" +
  "7f09192946" +
  "4649494931" +
  "01017f0101" +
  "3f4040403f" +
  "1f2040201f" +
  "3f4038403f" +
  "6314081463" +
  "0708700807" +
  "6151494543" +
  "007f414100" +
  "0204081020" +
  "0041417f00" +
  "0402010204" +
  "4040404040" +
  "0001020400" +
  "2054545478" +
  "7f48444438" +
  "3844444420" +
  "384444487f" +
  "3854545418" +
  "087e090102" +
  "18a4a4a47c" +
  "7f08040478" +
  "00447d4000" +
  "4080847d00" +
  "7f10284400" +
  "00417f4000" +
  "7c04180478" +
  "7c08040478" +
  "3844444438" +
  "fc24242418" +
  "18242418fc" +
  "7c08040408" +
  "4854545420" +
  "043f444020" +
  "3c4040207c" +
  "1c2040201c" +
  "3c4030403c" +
  "4428102844" +
  "1ca0a0a07c" +
  "4464544c44" +
  "0008364100" +
  "00007f0000" +
  "0041360800" +
  "0808041008";

const BOX = "7f4141417f";

/** Width of a text in pixels. */
export function textWidth(text: string, scale = 1): number {
  return Math.max(0, Array.from(plain(text)).length * GLYPH_ADVANCE - 1) * scale;
}

/** Draws a text into a picture, its upper left corner at (col, row); what hangs over is cut. */
export function drawText(image: RgbaImage, text: string, col: number, row: number, color: Rgb = [0, 0, 0], scale = 1): void {
  Array.from(plain(text)).forEach((character, position) => {
    const glyph = glyphOf(character);
    for (let x = 0; x < GLYPH_WIDTH; x++) {
      for (let y = 0; y <= GLYPH_HEIGHT; y++) {
        if (((glyph[x]! >> y) & 1) === 0) continue;
        fillSquare(image, col + (position * GLYPH_ADVANCE + x) * scale, row + y * scale, scale, color);
      }
    }
  });
}

/** The text shortened with dots so that it is at most `width` pixels wide. */
export function fitText(text: string, width: number, scale = 1): string {
  if (textWidth(text, scale) <= width) return text;
  const characters = Array.from(text);
  while (characters.length > 1 && textWidth(`${characters.join("")}..`, scale) > width) characters.pop();
  return `${characters.join("")}..`;
}

/** A filled rectangle. */
export function fillRectangle(image: RgbaImage, col: number, row: number, width: number, height: number, color: Rgb): void {
  for (let y = Math.max(0, row); y < Math.min(image.height, row + height); y++) {
    for (let x = Math.max(0, col); x < Math.min(image.width, col + width); x++) {
      const at = (y * image.width + x) * 4;
      image.data[at] = color[0];
      image.data[at + 1] = color[1];
      image.data[at + 2] = color[2];
      image.data[at + 3] = 255;
    }
  }
}

function fillSquare(image: RgbaImage, col: number, row: number, side: number, color: Rgb): void {
  fillRectangle(image, col, row, side, side, color);
}

function plain(text: string): string {
  return text.normalize("NFKD").replace(/\p{Mark}/gu, "");
}

function glyphOf(character: string): number[] {
  const code = character.codePointAt(0)! - 32;
  const digits = code >= 0 && code < 95 ? GLYPHS.slice(code * 10, code * 10 + 10) : BOX;
  return [0, 2, 4, 6, 8].map((at) => parseInt(digits.slice(at, at + 2), 16));
}
