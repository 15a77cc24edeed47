/** A canvas with the scene and the classes above it: drag to move, turn the wheel to zoom, double-click to see all. */

import type { ClassSummary, MapSummary, Picture } from "./messages.ts";

/** Longest side of a picture that is drawn. */
const LONGEST_SIDE = 4096;
const CLOSEST = 40;

/** Pixels of the class map as colours, reduced if it is very large; missing pixels are transparent. */
function colored(map: MapSummary, classes: readonly ClassSummary[]): ImageData {
  const step = Math.max(1, Math.ceil(Math.max(map.width, map.height) / LONGEST_SIDE));
  const [width, height] = [Math.ceil(map.width / step), Math.ceil(map.height / step)];
  const colors = new Map(classes.map(({ value, color: [red, green, blue] }) => [value, (255 << 24) | (blue << 16) | (green << 8) | red]));
  const words = new Uint32Array(width * height);
  for (let row = 0; row < height; row++) {
    for (let col = 0; col < width; col++) {
      const value = map.values[row * step * map.width + col * step]!;
      words[row * width + col] = value === map.nodata ? 0 : (colors.get(value) ?? 0);
    }
  }
  return new ImageData(new Uint8ClampedArray(words.buffer), width, height);
}

/** The view; sizes are in pixels of the scene. */
export class MapView {
  opacity = 0.65;
  readonly #canvas: HTMLCanvasElement;
  readonly #context: CanvasRenderingContext2D;
  #size: readonly [width: number, height: number] = [1, 1];
  #scene: ImageBitmap | null = null;
  #classes: ImageBitmap | null = null;
  #scale = 1;
  #left = 0;
  #top = 0;

  constructor(canvas: HTMLCanvasElement, onPointer: (position: readonly [col: number, row: number] | null) => void) {
    this.#canvas = canvas;
    this.#context = canvas.getContext("2d")!;
    canvas.addEventListener("wheel", (event) => this.#zoom(event), { passive: false });
    canvas.addEventListener("dblclick", () => this.fit());
    canvas.addEventListener("pointerdown", (event) => canvas.setPointerCapture(event.pointerId));
    canvas.addEventListener("pointermove", (event) => {
      if (canvas.hasPointerCapture(event.pointerId)) this.#move(event.movementX, event.movementY);
      const [x, y] = [(event.offsetX - this.#left) / this.#scale, (event.offsetY - this.#top) / this.#scale];
      const inside = this.#scene !== null && x >= 0 && y >= 0 && x < this.#size[0] && y < this.#size[1];
      onPointer(inside ? [x, y] : null);
    });
    canvas.addEventListener("pointerleave", () => onPointer(null));
    new ResizeObserver(() => this.fit()).observe(canvas);
  }

  /** Shows a scene of `width` x `height` pixels; the classes of a former one are gone. */
  async showScene(picture: Picture, width: number, height: number): Promise<void> {
    const image = new ImageData(new Uint8ClampedArray(picture.data), picture.width, picture.height);
    this.#scene = await createImageBitmap(image);
    this.#classes = null;
    this.#size = [width, height];
    this.fit();
  }

  /** Shows classes above the scene. */
  async showClasses(map: MapSummary, classes: readonly ClassSummary[]): Promise<void> {
    this.#classes = await createImageBitmap(colored(map, classes));
    this.draw();
  }

  /** The whole scene. */
  fit(): void {
    const { clientWidth, clientHeight } = this.#canvas;
    const [width, height] = this.#size;
    this.#scale = Math.min(clientWidth / width, clientHeight / height) * 0.96;
    this.#left = (clientWidth - width * this.#scale) / 2;
    this.#top = (clientHeight - height * this.#scale) / 2;
    this.draw();
  }

  /** Draws anew. */
  draw(): void {
    const context = this.#context;
    const { clientWidth, clientHeight } = this.#canvas;
    const ratio = window.devicePixelRatio;
    this.#canvas.width = Math.round(clientWidth * ratio);
    this.#canvas.height = Math.round(clientHeight * ratio);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const [width, height] = [this.#size[0] * this.#scale, this.#size[1] * this.#scale];
    context.imageSmoothingEnabled = this.#scale < 1;
    if (this.#scene !== null) context.drawImage(this.#scene, this.#left, this.#top, width, height);
    if (this.#classes === null) return;
    context.globalAlpha = this.opacity;
    // Classes are not mixed with their neighbours, however small they are drawn.
    context.imageSmoothingEnabled = false;
    context.drawImage(this.#classes, this.#left, this.#top, width, height);
    context.globalAlpha = 1;
  }

  #move(x: number, y: number): void {
    this.#left += x;
    this.#top += y;
    this.draw();
  }

  #zoom(event: WheelEvent): void {
    event.preventDefault();
    const factor = Math.exp(-event.deltaY / 400);
    const scale = Math.min(CLOSEST, Math.max(0.01, this.#scale * factor));
    const ratio = scale / this.#scale;
    this.#left = event.offsetX - (event.offsetX - this.#left) * ratio;
    this.#top = event.offsetY - (event.offsetY - this.#top) * ratio;
    this.#scale = scale;
    this.draw();
  }
}
