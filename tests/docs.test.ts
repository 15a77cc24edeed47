/** The README, guides and API examples are code: every `ts` block must type-check against the sources. */

import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import ts from "typescript";
import { afterAll, expect, test } from "vitest";

const root = resolve(import.meta.dirname, "..");
const scratch = mkdtempSync(join(root, "tests", "snippets-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const pages = [
  "README.md",
  ...readdirSync(join(root, "docs/guides"))
    .filter((file) => file.endsWith(".md"))
    .map((file) => join("docs/guides", file)),
  ...readdirSync(join(root, "packages")).flatMap((room) =>
    readdirSync(join(root, "packages", room))
      .filter((file) => file === "README.md")
      .map((file) => join("packages", room, file)),
  ),
];

/** Code blocks marked `ts`, with the line each starts at. */
function snippets(text: string): { code: string; line: number }[] {
  return [...text.matchAll(/^```ts\n([\s\S]*?)^```/gm)].map((match) => ({
    code: match[1]!,
    line: text.slice(0, match.index).split("\n").length + 1,
  }));
}

test("every ts block of README and guides type-checks", () => {
  mkdirSync(scratch, { recursive: true });
  const files = new Map<string, string>();
  for (const page of pages) {
    for (const { code, line } of snippets(readFileSync(join(root, page), "utf8"))) {
      const file = join(scratch, `${page.replaceAll(/[/.]/g, "-")}-${line}.ts`);
      writeFileSync(file, `${code}\nexport {};\n`);
      files.set(file, `${page}:${line}`);
    }
  }
  expect(files.size).toBeGreaterThan(0);
  const config = ts.readConfigFile(join(root, "tsconfig.base.json"), (path) => readFileSync(path, "utf8")).config as {
    compilerOptions: object;
  };
  const { options } = ts.convertCompilerOptionsFromJson(
    { ...config.compilerOptions, isolatedDeclarations: false, declaration: false, noUnusedLocals: false },
    root,
  );
  const program = ts.createProgram([...files.keys()], options);
  const faults = [...files].flatMap(([file, place]) =>
    ts
      .getPreEmitDiagnostics(program, program.getSourceFile(file))
      .map((d) => `${place}: ${ts.flattenDiagnosticMessageText(d.messageText, "\n")}`),
  );
  expect(faults).toEqual([]);
});
