/** Well-known text as a tree: `KEYWORD["text", 1.5, NODE[...], east]`. Knows nothing of what the keywords mean. */

import { GeoLearnError } from "../errors.ts";

/** One bracketed element. */
export interface WktNode {
  /** Upper case. */
  readonly keyword: string;
  /** Texts, numbers and bare words, in order. */
  readonly values: readonly (string | number)[];
  readonly children: readonly WktNode[];
}

/** Deepest nesting read; real definitions stay under 12. */
const MAX_DEPTH = 64;
const MAX_LENGTH = 200_000;

/** @throws CRS_UNKNOWN when the text is no well-known text */
export function parseWkt(text: string): WktNode {
  if (text.length > MAX_LENGTH) refuse(text, `it has ${text.length} characters`);
  let at = 0;

  function node(depth: number): WktNode {
    if (depth > MAX_DEPTH) refuse(text, `it nests deeper than ${MAX_DEPTH} levels`);
    const keyword = word().toUpperCase();
    skipSpace();
    const open = text[at];
    if (keyword === "" || (open !== "[" && open !== "(")) refuse(text, `an opening bracket is missing at character ${at}`);
    const close = open === "[" ? "]" : ")";
    at += 1;
    const values: (string | number)[] = [];
    const children: WktNode[] = [];
    for (;;) {
      skipSpace();
      if (text[at] === '"') values.push(quoted());
      else if (text[at] !== close) item(values, children, depth);
      skipSpace();
      if (text[at] === ",") {
        at += 1;
        continue;
      }
      if (text[at] !== close) refuse(text, `"${close}" is missing at character ${at}`);
      at += 1;
      return { keyword, values, children };
    }
  }

  function item(values: (string | number)[], children: WktNode[], depth: number): void {
    const start = at;
    const bare = word();
    if (bare === "") refuse(text, `character ${at} is unexpected`);
    skipSpace();
    if (text[at] === "[" || text[at] === "(") {
      at = start;
      children.push(node(depth + 1));
      return;
    }
    const number = Number(bare);
    values.push(Number.isNaN(number) ? bare : number);
  }

  function word(): string {
    const start = at;
    while (at < text.length && /[A-Za-z0-9_.+\-:/]/.test(text[at]!)) at += 1;
    return text.slice(start, at);
  }

  function quoted(): string {
    let value = "";
    at += 1;
    for (;;) {
      const end = text.indexOf('"', at);
      if (end < 0) refuse(text, "a closing quote is missing");
      value += text.slice(at, end);
      at = end + 1;
      if (text[at] !== '"') return value; // a doubled quote is a quote
      value += '"';
      at += 1;
    }
  }

  function skipSpace(): void {
    while (at < text.length && /\s/.test(text[at]!)) at += 1;
  }

  skipSpace();
  const root = node(0);
  skipSpace();
  if (at < text.length && text.slice(at).replaceAll("\0", "").trim() !== "") refuse(text, `text follows its end at character ${at}`);
  return root;
}

/** The first child with one of these keywords. */
export function child(node: WktNode, ...keywords: string[]): WktNode | undefined {
  return node.children.find(({ keyword }) => keywords.includes(keyword));
}

function refuse(text: string, reason: string): never {
  throw new GeoLearnError("CRS_UNKNOWN", `The definition "${text.slice(0, 60)}..." cannot be read: ${reason}.`, {
    hint: "Check the .prj file or the metadata; an EPSG code can be given instead.",
  });
}
