/**
 * Cuts a GeoJSON text into its features without holding more than one of them: bytes go in, the members of the outer
 * object and the elements of its `features` list come out as texts. Brackets are counted outside of strings; what stands
 * between them is left to JSON.parse.
 */

import { GeoLearnError } from "../errors.ts";

/** A part of the outer object. */
export interface GeoJsonPart {
  /** `"feature"` for an element of `features`, `"member"` for any other member. */
  readonly kind: "feature" | "member";
  /** Name of the member, `"features"` for an element. */
  readonly name: string;
  readonly text: string;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

const MAX_DEPTH = 256;
const MAX_PART_BYTES = 256 * 1024 * 1024;

type State = "start" | "key" | "colon" | "value" | "elements" | "end";

/** An incremental cutter; feed it with `push`, finish with `end`. */
export class GeoJsonScanner {
  readonly #name: string;
  readonly #decoder = new TextDecoder("utf-8", { fatal: true });
  #state: State = "start";
  #key = "";
  #hasFeatures = false;
  // the value being captured: its earlier pieces, and how deep it stands
  #pieces: Uint8Array[] = [];
  #pieceBytes = 0;
  #capturing = false;
  #depth = 0;
  #inString = false;
  #escaped = false;
  #scalar = false;

  /** @param name - the file, for messages */
  constructor(name: string) {
    this.#name = name;
  }

  /** True once a member `features` with a list was seen. */
  get hasFeatures(): boolean {
    return this.#hasFeatures;
  }

  /** The parts that end within `bytes`. @throws FEATURES_CORRUPT, LIMIT_EXCEEDED */
  *push(bytes: Uint8Array): Generator<GeoJsonPart> {
    let at = 0;
    while (at < bytes.length) {
      if (this.#capturing) {
        const end = this.#capture(bytes, at);
        this.#keep(bytes.subarray(at, end < 0 ? bytes.length : end));
        if (end < 0) return;
        at = end;
        const part = this.#finishCapture();
        if (part !== null) yield part;
        continue;
      }
      const byte = bytes[at]!;
      if (isBlank(byte) || (this.#state === "start" && (byte === 0xef || byte === 0xbb || byte === 0xbf))) {
        at += 1;
        continue;
      }
      at = this.#step(byte, at);
    }
  }

  /** Says that the text is over. @throws FEATURES_CORRUPT when it ends early */
  end(): void {
    if (this.#state !== "end") this.#corrupt("the text ends early");
  }

  /** One significant byte outside of captured values. Returns where to go on. */
  #step(byte: number, at: number): number {
    switch (this.#state) {
      case "start":
        if (byte !== OPEN_OBJECT) this.#corrupt("it does not begin with {");
        this.#state = "key";
        return at + 1;
      case "key":
        if (byte === CLOSE_OBJECT) this.#state = "end";
        else if (byte === QUOTE) this.#begin(byte);
        else if (byte !== COMMA) this.#corrupt("a member name is missing");
        return byte === QUOTE ? at : at + 1;
      case "colon":
        if (byte !== COLON) this.#corrupt(`":" is missing behind "${this.#key}"`);
        this.#state = "value";
        return at + 1;
      case "value":
        if (this.#key === "features" && byte === OPEN_LIST) {
          this.#state = "elements";
          this.#hasFeatures = true;
          return at + 1;
        }
        this.#begin(byte);
        return at;
      case "elements":
        if (byte === CLOSE_LIST) this.#state = "key";
        else if (byte !== COMMA) this.#begin(byte);
        return byte === CLOSE_LIST || byte === COMMA ? at + 1 : at;
      case "end":
        return this.#corrupt("text follows its end");
    }
  }

  #begin(byte: number): void {
    this.#capturing = true;
    this.#depth = 0;
    this.#inString = false;
    this.#scalar = byte !== QUOTE && byte !== OPEN_LIST && byte !== OPEN_OBJECT;
    if (byte === CLOSE_LIST || byte === CLOSE_OBJECT || byte === COLON || byte === COMMA) this.#corrupt("a value is missing");
  }

  /** The index behind the captured value, or -1 when it goes on in the next bytes. */
  #capture(bytes: Uint8Array, from: number): number {
    let at = from;
    for (; at < bytes.length; at += 1) {
      const byte = bytes[at]!;
      if (this.#inString) {
        if (this.#escaped) this.#escaped = false;
        else if (byte === BACKSLASH) this.#escaped = true;
        else if (byte === QUOTE) {
          this.#inString = false;
          if (this.#depth === 0) return at + 1;
        }
        continue;
      }
      if (byte > OPEN_LIST + 2 && byte < OPEN_OBJECT) continue; // letters
      if (byte === QUOTE) this.#inString = true;
      else if (byte === OPEN_LIST || byte === OPEN_OBJECT) {
        this.#depth += 1;
        if (this.#depth > MAX_DEPTH) this.#corrupt(`it nests deeper than ${MAX_DEPTH} levels`);
      } else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) {
        if (this.#scalar && this.#depth === 0) return at;
        this.#depth -= 1;
        if (this.#depth === 0) return at + 1;
      } else if (this.#scalar && (byte === COMMA || isBlank(byte))) return at;
    }
    return -1;
  }

  #keep(piece: Uint8Array): void {
    this.#pieceBytes += piece.length;
    if (this.#pieceBytes > MAX_PART_BYTES) {
      throw new GeoLearnError("LIMIT_EXCEEDED", `${this.#name}: one feature is larger than ${MAX_PART_BYTES >> 20} MB.`, {
        hint: "Split its geometry, for example with the QGIS tool Subdivide.",
      });
    }
    this.#pieces.push(piece.slice());
  }

  #finishCapture(): GeoJsonPart | null {
    const text = this.#decode();
    this.#capturing = false;
    if (this.#state === "key") {
      this.#key = this.#memberName(text);
      this.#state = "colon";
      return null;
    }
    if (this.#state === "elements") return { kind: "feature", name: "features", text };
    this.#state = "key";
    return { kind: "member", name: this.#key, text };
  }

  #memberName(text: string): string {
    try {
      return String(JSON.parse(text));
    } catch {
      return this.#corrupt("a member name is damaged");
    }
  }

  #decode(): string {
    const bytes = this.#pieces.length === 1 ? this.#pieces[0]! : concatenated(this.#pieces, this.#pieceBytes);
    this.#pieces = [];
    this.#pieceBytes = 0;
    try {
      return this.#decoder.decode(bytes);
    } catch {
      return this.#corrupt("it is not UTF-8");
    }
  }

  #corrupt(reason: string): never {
    throw new GeoLearnError("FEATURES_CORRUPT", `${this.#name} is no GeoJSON: ${reason}.`, {
      hint: "Export the file again from its source; it must be one JSON object in UTF-8.",
      data: { file: this.#name },
    });
  }
}

function isBlank(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function concatenated(pieces: readonly Uint8Array[], length: number): Uint8Array {
  const all = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}
