/**
 * Showing pictures inside a tslab notebook (Jupyter for TypeScript) without depending on it: a tslab kernel keeps the
 * `require` of its cells on `globalThis.__tslab__`, and that `require("tslab")` is the kernel's own module.
 */

interface NotebookDisplay {
  html(markup: string): void;
  svg(markup: string): void;
  png(bytes: Uint8Array): void;
}

/** One output of a notebook cell that can be drawn again in place. */
export interface NotebookOutput {
  /** Shows markup instead of what was there. */
  html(markup: string): void;
}

/** True when this code runs in a tslab notebook. */
export function inNotebook(): boolean {
  return tslab() !== null;
}

/** Shows a picture below the running cell. Returns false outside a notebook. */
export function showInNotebook(picture: { readonly svg: string | null; readonly png: Uint8Array }): boolean {
  const display = tslab()?.newDisplay();
  if (!display) return false;
  if (picture.svg === null) display.png(picture.png);
  else display.svg(picture.svg);
  return true;
}

/** An output whose content is replaced at each call, or null outside a notebook. */
export function notebookOutput(): NotebookOutput | null {
  return tslab()?.newDisplay() ?? null;
}

function tslab(): { newDisplay(): NotebookDisplay } | null {
  const kernel = (globalThis as { __tslab__?: { require?: unknown } }).__tslab__;
  if (typeof kernel?.require !== "function") return null;
  const module = (kernel.require as (id: string) => unknown)("tslab") as { newDisplay?: () => NotebookDisplay } | undefined;
  return typeof module?.newDisplay === "function" ? { newDisplay: () => module.newDisplay!() } : null;
}
