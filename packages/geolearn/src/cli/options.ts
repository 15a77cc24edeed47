/** Parsers of option values. */

import type { NetworkPolicy } from "@geolearn/core";
import { type Command, InvalidArgumentError, Option } from "commander";

/** A finite number. */
export function number(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value)) throw new InvalidArgumentError(`expected a number, got "${text}".`);
  return value;
}

/** An integer of at least `least`. */
export function integer(least: number): (text: string) => number {
  return (text) => {
    const value = number(text);
    if (!Number.isInteger(value) || value < least)
      throw new InvalidArgumentError(`expected a whole number of at least ${least}, got "${text}".`);
    return value;
  };
}

/** `auto` or a positive number. */
export function autoOrNumber(text: string): number | "auto" {
  if (text === "auto") return "auto";
  const value = number(text);
  if (value <= 0) throw new InvalidArgumentError(`expected "auto" or a number above 0, got "${text}".`);
  return value;
}

/** Comma-separated words. */
export function words(text: string): string[] {
  return text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
}

/** Comma-separated numbers. */
export function numbers(text: string): number[] {
  return words(text).map(number);
}

/** Comma-separated pairs of numbers, `1:1,1:0.5`. */
export function pairs(text: string): [number, number][] {
  return words(text).map((pair) => {
    const [first, second, ...rest] = pair.split(":").map(number);
    if (first === undefined || second === undefined || rest.length > 0)
      throw new InvalidArgumentError(`expected two numbers with a colon between them, got "${pair}".`);
    return [first, second];
  });
}

/** Four comma-separated numbers: xmin, ymin, xmax, ymax. */
export function bounds(text: string): [number, number, number, number] {
  const [xmin, ymin, xmax, ymax, ...rest] = numbers(text);
  if (xmin === undefined || ymin === undefined || xmax === undefined || ymax === undefined || rest.length > 0) {
    throw new InvalidArgumentError(`expected xmin,ymin,xmax,ymax, got "${text}".`);
  }
  if (xmin >= xmax || ymin >= ymax) throw new InvalidArgumentError(`expected xmin < xmax and ymin < ymax, got "${text}".`);
  return [xmin, ymin, xmax, ymax];
}

/** Gathers an option that may be given several times, or several values at once. */
export function several(value: string, previous: readonly string[] | undefined): string[] {
  return [...(previous ?? []), value];
}

/** `right-angles` to `rightAngles`. */
export function camelCase(text: string): string {
  return text.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** `rightAngles` to `right-angles`. */
export function kebabCase(text: string): string {
  return text.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** Bands by number from 0 or by name. */
export function bands(text: string): (number | string)[] {
  return words(text).map((band) => (/^\d+$/.test(band) ? Number(band) : band));
}

/** An EPSG code, or a text that describes a reference system. */
export function crs(text: string): number | string {
  return /^\d+$/.test(text) ? Number(text) : text;
}

/** Adds `--network` to a command that opens rasters. */
export function withNetwork(command: Command): Command {
  return command.option(
    "--network <any|host,...>",
    "allow rasters at http and https addresses: of any public host, or of these hosts, private ones too",
    (text): boolean | NetworkPolicy => (text === "any" ? true : { hosts: words(text), allowPrivate: true }),
  );
}

/** A pixel's size on the ground in metres, or whose. */
export function cellSize(text: string): number | "model" | "scene" {
  return text === "model" || text === "scene" ? text : number(text);
}

/** Adds what every command has that runs a model on a scene: which part of it, at which pixel size, from which bands, in which windows. */
export function withScene(command: Command, outside: string): Command {
  return withNetwork(command)
    .option("--mask <path>", `polygons; ${outside}`)
    .option("--extent <xmin,ymin,xmax,ymax>", "only this part, in the raster's CRS", bounds)
    .option("--cell-size <metres|model|scene>", "ground size of a pixel to work at", cellSize)
    .option("--bands <band,...>", "bands of the raster to feed, in the model's order, by number from 0 or by name", bands)
    .option("--overlap <pixels>", "pixels neighbouring windows share (default: half a window)", integer(0))
    .option("--batch-size <windows>", "windows per call of the network", integer(1));
}

/** Adds where a model runs. */
export function withCompute(command: Command): Command {
  return withDevice(command)
    .option("--workers <number>", "threads that compute", integer(1))
    .option("--threads <number>", "threads of one operation", integer(1));
}

/** Adds `--device`. */
export function withDevice(command: Command): Command {
  const choices = ["cpu", "webgpu", "cuda", "coreml", "dml", "tensorflow", "auto"];
  return command.addOption(new Option("--device <name>").choices(choices));
}

/** A length on the ground in metres, or text such as `2 crs` that is left to the function. */
export function length(text: string): number | string {
  const value = Number(text);
  return text.trim() !== "" && Number.isFinite(value) ? value : text;
}

/** `next` or an integer of at least 0. */
export function nextOrInteger(text: string): number | "next" {
  return text === "next" ? "next" : integer(0)(text);
}

/** JSON, or the words of a comma-separated `from=to` list as an object. */
export function mapping(text: string): Record<string, string> {
  return Object.fromEntries(
    words(text).map((part) => {
      const [from, to, ...rest] = part.split("=");
      if (from === undefined || to === undefined || rest.length > 0)
        throw new InvalidArgumentError(`expected value=name,value=name..., got "${text}".`);
      return [from, to];
    }),
  );
}
