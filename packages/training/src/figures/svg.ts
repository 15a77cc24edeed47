/** From SVG to a {@link Figure}: text in one font that travels along, so that a picture looks the same on every machine. */

import { createRequire } from "node:module";

import { Figure } from "@geolearn/core";

export { escapeMarkup } from "@geolearn/core";

/** Fonts of every figure; the first is packed with geolearn. */
export const FONT = "DejaVu Sans, Verdana, sans-serif";

/** Ink of text and axes, and a quieter one. */
export const INK = "#1f2933";
export const QUIET_INK = "#66727f";

/** A figure from an SVG drawing; its PNG has twice the drawing's size in pixels. */
export async function svgFigure(title: string, svg: string): Promise<Figure> {
  return new Figure(title, { svg, png: await rasterizeSvg(svg, 2) });
}

/** An SVG as a PNG, `zoom` pixels a unit. No font, image or file besides the drawing itself is read. */
export async function rasterizeSvg(svg: string, zoom: number): Promise<Uint8Array> {
  const { renderAsync } = await import("@resvg/resvg-js");
  const require = createRequire(import.meta.url);
  const image = await renderAsync(svg, {
    background: "white",
    fitTo: { mode: "zoom", value: zoom },
    font: {
      loadSystemFonts: false,
      fontFiles: [require.resolve("dejavu-fonts-ttf/ttf/DejaVuSans.ttf"), require.resolve("dejavu-fonts-ttf/ttf/DejaVuSans-Bold.ttf")],
      defaultFontFamily: "DejaVu Sans",
      sansSerifFamily: "DejaVu Sans",
    },
  });
  return new Uint8Array(image.asPng());
}

/** A PNG as an address that needs no file. */
export function dataUrl(png: Uint8Array): string {
  return `data:image/png;base64,${Buffer.from(png.buffer, png.byteOffset, png.byteLength).toString("base64")}`;
}
