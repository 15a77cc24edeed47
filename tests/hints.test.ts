/** Hints name options in backticks, as code does, so that the command line can print them as flags. */

import { readFileSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import ts from "typescript";
import { expect, test } from "vitest";

const packages = resolve(import.meta.dirname, "../packages");

const sources = readdirSync(packages).flatMap((room) =>
  readdirSync(join(packages, room, "src"), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts") && !/\.(test|testing)\.ts$/.test(file))
    .map((file) => join(packages, room, "src", file)),
);

interface Hint {
  readonly place: string;
  readonly text: string;
}

/** Literal texts of everything that becomes a `hint`. */
function hintsIn(path: string): Hint[] {
  const code = readFileSync(path, "utf8");
  if (!code.includes("hint")) return [];
  const file = ts.createSourceFile(path, code, ts.ScriptTarget.Latest, true);
  const found: Hint[] = [];
  const gather = (node: ts.Node): void => {
    if (ts.isStringLiteralLike(node)) found.push({ place: placeOf(node), text: node.text });
    else if (ts.isTemplateExpression(node)) {
      const text = [node.head.text, ...node.templateSpans.map(({ literal }) => literal.text)].join("x");
      found.push({ place: placeOf(node), text });
    } else if (!ts.isCallExpression(node)) node.forEachChild(gather);
  };
  const placeOf = (node: ts.Node): string => `${path}:${file.getLineAndCharacterOfPosition(node.getStart()).line + 1}`;
  /** Functions that take a hint, of the file and of the rules of options, and which argument it is. */
  const takers = new Map<string, number>([["rules.hinted", 1]]);
  const remember = (node: ts.Node): void => {
    const made = ts.isVariableDeclaration(node) ? node.initializer : node;
    if (made && (ts.isFunctionDeclaration(made) || ts.isArrowFunction(made) || ts.isMethodDeclaration(made))) {
      const { name } = node as ts.FunctionDeclaration;
      const at = made.parameters.findIndex((parameter) => parameter.name.getText() === "hint");
      if (name && at >= 0) takers.set(name.getText(), at);
    }
    node.forEachChild(remember);
  };
  const visit = (node: ts.Node): void => {
    const assigned = ts.isPropertyAssignment(node) || ts.isVariableDeclaration(node) || ts.isParameter(node) ? node : null;
    if (assigned?.initializer && /^hints?$/.test(assigned.name.getText())) gather(assigned.initializer);
    if (ts.isCallExpression(node)) {
      const argument = node.arguments[takers.get(node.expression.getText().replace("this.", "")) ?? -1];
      if (argument) gather(argument);
    }
    node.forEachChild(visit);
  };
  remember(file);
  visit(file);
  return found;
}

const hints = sources.flatMap(hintsIn);

/** What looks like an option of TypeScript outside backticks: `cellSize`, `overwrite: true`, `format: "tiff"`, device "cpu". */
function bareOption(text: string): string | null {
  const prose = text.replace(/`[^`]*`|\b(cuDNN|macOS)\b/g, "");
  return (
    /\b[a-z]+[A-Z][A-Za-z]*\b(?!\(|")|\b[a-z]+: (true|false|["[{\d])|\b(device|format|task|split|loss|blend|merge|method|weights|backbone) "/.exec(
      prose,
    )?.[0] ?? null
  );
}

test("finds hints, and options outside backticks", () => {
  expect(hints.length).toBeGreaterThan(300);
  expect(hints.filter(({ text }) => text.includes("`cellSize"))).not.toEqual([]);
  expect(hints.map(({ text }) => text)).toContain("`valSplit: 0.2` keeps a fifth.");
  expect(bareOption("Give cellSize in metres.")).toBe("cellSize");
  expect(bareOption("Replace it with overwrite: true.")).toBe("overwrite: true");
  expect(bareOption('Or use device "cpu".')).toBe('device "');
  expect(bareOption('Use `format: "tiff"`, or call lrFind().')).toBeNull();
});

test("no hint names an option outside backticks", () => {
  const faults = hints.flatMap(({ place, text }) => {
    const bare = bareOption(text);
    return bare === null ? [] : [`${place}: ${bare}`];
  });
  expect(faults).toEqual([]);
});
