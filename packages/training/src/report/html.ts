/** Pieces of the report that several of its parts use. */

/** A table that scrolls where the page is narrow. */
export function scroll(table: string): string {
  return `<div class="scroll">${table}</div>`;
}

/** A share of 1 in percent. */
export function percent(share: number | null): string {
  return share === null ? "-" : `${(100 * share).toFixed(1)} %`;
}
