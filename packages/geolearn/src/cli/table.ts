/** Plain tables and lists for the terminal. */

/** Rows as aligned columns; numbers go to the right. */
export function table(header: readonly string[], rows: readonly (readonly (string | number | null)[])[]): string {
  const cells = [header, ...rows.map((row) => row.map(show))];
  const widths = header.map((_, i) => Math.max(...cells.map((row) => row[i]!.length)));
  const right = header.map((_, i) => rows.length > 0 && rows.every((row) => typeof row[i] === "number" || row[i] === null));
  return cells
    .map((row) =>
      row
        .map((cell, i) => (right[i] ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** A share of 0 to 1 as `12.3 %`. */
export function share(value: number): string {
  return `${Number((100 * value).toPrecision(3))} %`;
}

/** `name: value` lines, aligned; lines without a value are left out. */
export function list(entries: readonly (readonly [name: string, value: string | number | null | undefined])[]): string {
  const given = entries.filter(([, value]) => value !== null && value !== undefined);
  const width = Math.max(0, ...given.map(([name]) => name.length));
  return given.map(([name, value]) => `${name.padEnd(width)}  ${show(value!)}`).join("\n");
}

function show(value: string | number | null): string {
  if (value === null) return "-";
  if (typeof value === "string") return value;
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(5)));
}
