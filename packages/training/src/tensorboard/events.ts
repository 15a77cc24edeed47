/** TensorBoard's events (tensorflow/core/util/event.proto, framework/summary.proto) as bytes. */

import { bytesField, doubleField, type Field, floatField, varintField } from "./protobuf.ts";

/** One figure, picture or text under a tag. */
export type SummaryValue = Field;

/** What an event file begins with. */
export function fileVersionEvent(seconds: number): Uint8Array {
  return Buffer.concat([doubleField(1, seconds), bytesField(3, "brain.Event:2")]);
}

/** Values of one step. */
export function summaryEvent(seconds: number, step: number, values: readonly SummaryValue[]): Uint8Array {
  return Buffer.concat([doubleField(1, seconds), varintField(2, step), bytesField(5, values)]);
}

/** Says that a run goes on at this step: what earlier files hold from there on does not count. */
export function restartEvent(seconds: number, step: number): Uint8Array {
  const START = 1;
  return Buffer.concat([doubleField(1, seconds), varintField(2, step), bytesField(7, [varintField(1, START)])]);
}

/** A figure; stored in single precision. */
export function scalarValue(tag: string, value: number): SummaryValue {
  return bytesField(1, [bytesField(1, tag), floatField(2, value)]);
}

/** A picture in colour. */
export function imageValue(tag: string, { png, width, height }: { png: Uint8Array; width: number; height: number }): SummaryValue {
  const RGBA = 4;
  const image = [varintField(1, height), varintField(2, width), varintField(3, RGBA), bytesField(4, png)];
  return bytesField(1, [bytesField(1, tag), bytesField(4, image)]);
}

/** A text in Markdown, for the plugin "text". */
export function textValue(tag: string, markdown: string): SummaryValue {
  const STRING = 7;
  const one = bytesField(2, [bytesField(2, [varintField(1, 1)])]); // shape: one dimension of size 1
  const tensor = [varintField(1, STRING), one, bytesField(8, markdown)];
  const plugin = bytesField(1, [bytesField(1, "text")]);
  return bytesField(1, [bytesField(1, `${tag}/text_summary`), bytesField(8, tensor), bytesField(9, [plugin])]);
}
