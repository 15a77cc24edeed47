/** From stored values to fields: dates and times become ISO 8601 text, whole numbers beyond 2^53 their digits. */

import { finiteNumber, wholeNumber } from "../feature-value.ts";
import type { FieldValue } from "../features.ts";
import type { RawValue } from "./plain.ts";
import type { SchemaNode, TimeDigits } from "./schema.ts";

/** Turns a stored value of a column into a field. */
export type Convert = (value: RawValue) => FieldValue;

const DAY_NANOSECONDS = 86_400_000_000_000n;
/** Of 1970-01-01; INT96 counts from the beginning of 4713 BC. */
const JULIAN_DAY = 2_440_588n;

/** How values of a column become fields; null for binary ones, which do not. */
export function conversionOf({ type, meaning }: SchemaNode): Convert | null {
  const bytes = type === "bytes" || type === "fixed";
  switch (meaning.kind) {
    case "text":
      return bytes ? (value) => new TextDecoder().decode(value as Uint8Array) : null;
    case "date":
      return type === "int32" ? (value) => dateText(BigInt(value as number)) : null;
    case "time":
      return type === "int32" || type === "int64" ? (value) => timeText(nanoseconds(value, meaning.digits)) : null;
    case "timestamp":
      return type === "int64" ? (value) => timestampText(nanoseconds(value, meaning.digits), meaning.utc) : null;
    case "decimal":
      // no format that makes decimals has more digits
      return Math.abs(meaning.scale) > 100 || type === "boolean" || type === "float" || type === "double" || type === "int96"
        ? null
        : decimalOf(meaning.scale);
    case "uuid":
      return bytes ? (value) => uuidText(value as Uint8Array) : null;
    case "float16":
      return bytes ? (value) => finiteNumber(halfFloat(value as Uint8Array)) : null;
    case "unsigned":
      if (type === "int64") return (value) => wholeNumber(BigInt.asUintN(64, value as bigint));
      return type === "int32" ? (value) => (value as number) >>> 0 : null;
    case "unreadable":
      return null;
    default:
      return bytes ? null : plainOf(type);
  }
}

function plainOf(type: SchemaNode["type"]): Convert {
  if (type === "int64") return (value) => wholeNumber(value as bigint);
  // timestamps of Spark and Impala of old
  if (type === "int96") return (value) => timestampText(int96Nanoseconds(value as Uint8Array), false);
  if (type === "boolean") return (value) => value as boolean;
  return (value) => finiteNumber(value as number);
}

function nanoseconds(value: RawValue, digits: TimeDigits): bigint {
  return BigInt(value as number | bigint) * 10n ** BigInt(9 - digits);
}

function int96Nanoseconds(bytes: Uint8Array): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return (BigInt(view.getUint32(8, true)) - JULIAN_DAY) * DAY_NANOSECONDS + view.getBigInt64(0, true);
}

function floorDivide(value: bigint, by: bigint): bigint {
  return value / by - (value % by < 0n ? 1n : 0n);
}

/** `2024-02-29`; years before 1 and after 9999 as ISO 8601 extends them. */
function dateText(days: bigint): string | null {
  const date = new Date(Number(days) * 86_400_000);
  // beyond what a calendar date can say here: 270 000 years
  return Number.isNaN(date.getTime()) ? null : date.toISOString().slice(0, -14);
}

/** `23:59:59.123`, without a fraction of zero. */
function timeText(time: bigint): string {
  const seconds = Number(time / 1_000_000_000n);
  const two = (value: number): string => String(value).padStart(2, "0");
  const whole = `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  const fraction = String(time % 1_000_000_000n).padStart(9, "0");
  if (/^0+$/.test(fraction)) return whole;
  return `${whole}.${fraction.replace(/^(\d{3}|\d{6})(0{6}|0{3})$/, "$1")}`;
}

function timestampText(time: bigint, utc: boolean): string | null {
  const days = floorDivide(time, DAY_NANOSECONDS);
  const date = dateText(days);
  return date === null ? null : `${date}T${timeText(time - days * DAY_NANOSECONDS)}${utc ? "Z" : ""}`;
}

/** A decimal as a number where its digits fit one exactly, else as text. */
function decimalOf(scale: number): Convert {
  return (value) => {
    const unscaled = value instanceof Uint8Array ? bigEndian(value) : BigInt(value as number | bigint);
    if (scale <= 0) return wholeNumber(unscaled * 10n ** BigInt(-scale));
    const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, "0");
    const text = `${unscaled < 0n ? "-" : ""}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
    return digits.replace(/^0+/, "").length <= 15 ? Number(text) : text;
  };
}

function bigEndian(bytes: Uint8Array): bigint {
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  return BigInt.asIntN(8 * bytes.length, value);
}

function uuidText(bytes: Uint8Array): string {
  return Buffer.from(bytes)
    .toString("hex")
    .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

function halfFloat(bytes: Uint8Array): number {
  const bits = (bytes[0] ?? 0) | ((bytes[1] ?? 0) << 8);
  const sign = bits >> 15 === 0 ? 1 : -1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
