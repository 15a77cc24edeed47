/** A finished picture: to be saved, or shown inline in a notebook. */

import { dirname, extname } from "node:path";

import { GeoLearnError } from "../errors.ts";
import { writeAtomic } from "../files/atomic.ts";
import { makeFolder } from "../files/make-folder.ts";
import { inNotebook, showInNotebook } from "./notebook.ts";

/** A picture with a title, as PNG and, where it was drawn from shapes, as SVG. */
export class Figure {
  readonly title: string;
  /** The drawing as SVG, or null when it is made of pixels alone. */
  readonly svg: string | null;
  /** The drawing as the bytes of a PNG file. */
  readonly png: Uint8Array;

  constructor(title: string, picture: { readonly svg?: string | null; readonly png: Uint8Array }) {
    this.title = title;
    this.svg = picture.svg ?? null;
    this.png = picture.png;
  }

  /**
   * Writes the figure; the extension chooses PNG or SVG. The path holds the former or the whole new file at any time.
   *
   * @throws UNSUPPORTED_FORMAT for another extension, or `.svg` of a figure made of pixels.
   */
  async save(path: string): Promise<void> {
    const extension = extname(path).toLowerCase();
    const content = extension === ".png" ? this.png : extension === ".svg" ? this.svg : null;
    if (content !== null) {
      await makeFolder(dirname(path));
      return writeAtomic(path, content);
    }
    throw new GeoLearnError("UNSUPPORTED_FORMAT", `"${this.title}" cannot be saved as "${path}".`, {
      hint: this.svg === null ? "Use a path ending in .png." : "Use a path ending in .png or .svg.",
    });
  }

  /** Shows the figure below the running notebook cell; does nothing elsewhere. */
  show(): this {
    if (inNotebook()) showInNotebook(this);
    return this;
  }
}
