/** A live progress bar for a terminal: a subscriber to {@link Progress}. Elsewhere (a file, a pipe) it writes a line now and then. */

import type { OnProgress, Progress } from "./progress.ts";

/** Where the bar is drawn; `process.stderr` is one. */
export interface ProgressStream {
  /** Takes text to show. */
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

/** Options of {@link terminalProgress}. */
export interface TerminalProgressOptions {
  /** @defaultValue process.stderr */
  readonly stream?: ProgressStream;
  /** Least time between two drawings in a terminal, milliseconds. @defaultValue 80 */
  readonly interval?: number;
  /** Least time between two lines where the stream is no terminal, milliseconds. @defaultValue 10000 */
  readonly lineInterval?: number;
  /** Clock in milliseconds. @defaultValue performance.now */
  readonly now?: () => number;
}

/** A running progress display. */
export interface TerminalProgress {
  /** To be given as `onProgress`. */
  readonly onProgress: OnProgress;
  /** Finishes the line, e.g. before something else is printed or after an error. Safe at any time. */
  end(): void;
}

/**
 * Draws progress on stderr: stage, bar, share, units, and the figures that came with the report. Speed and time left are
 * taken from the report (`imagesPerSecond`, `secondsLeft`) or else measured. Of work without a known total only what is done
 * is told, the last of it by `end`.
 *
 * @example
 * const bar = terminalProgress();
 * try { await learner.fit({ epochs: 10, onProgress: bar.onProgress }); } finally { bar.end(); }
 */
export function terminalProgress(options: TerminalProgressOptions = {}): TerminalProgress {
  const { stream = process.stderr, interval = 80, lineInterval = 10_000, now = () => performance.now() } = options;
  const live = stream.isTTY === true;
  let stage: string | null = null;
  let started = 0;
  let startedAt = 0;
  let drawnAt = -Infinity;
  let open = false;
  let held: Progress | null = null;

  const draw = (progress: Progress, time: number): void => {
    held = null;
    drawnAt = time;
    const seconds = (time - started) / 1000;
    const rate = seconds > 0 ? (progress.done - startedAt) / seconds : 0;
    const text = progressText(progress, { rate, elapsed: seconds, width: live ? Math.max(20, (stream.columns ?? 80) - 1) : null });
    // Carriage return and "clear to the end of the line" redraw in place.
    stream.write(live ? `\r${text}\u001b[K` : `${text}\n`);
    open = live;
  };

  const end = (): void => {
    if (held !== null) draw(held, now());
    if (open) stream.write("\n");
    open = false;
    stage = null;
  };

  const onProgress: OnProgress = (progress) => {
    const time = now();
    if (progress.stage !== stage) {
      end();
      stage = progress.stage;
      started = time;
      startedAt = progress.done;
      drawnAt = -Infinity;
    }
    const finished = progress.total > 0 && progress.done >= progress.total;
    if (!finished && time - drawnAt < (live ? interval : lineInterval)) {
      if (progress.total === 0) held = progress;
      return;
    }
    draw(progress, time);
    if (finished) end();
  };

  return { onProgress, end };
}

/** One line about a report, at most `width` characters; without a width, a plain line without a bar. Without a total, neither share nor bar. */
export function progressText(
  { stage, done, total, unit, values = {} }: Progress,
  { rate, elapsed, width }: { readonly rate: number; readonly elapsed: number; readonly width: number | null },
): string {
  const { imagesPerSecond, secondsLeft, ...figures } = values;
  const known = total > 0;
  const share = known ? Math.min(1, done / total) : 0;
  const finished = known && done >= total;
  const left = secondsLeft ?? (known && rate > 0 ? (total - done) / rate : undefined);
  const speed = imagesPerSecond === undefined ? (rate > 0 ? `${short(rate)} ${unit}/s` : "") : `${short(imagesPerSecond)} images/s`;
  const parts = [
    known ? `${String(Math.floor(share * 100)).padStart(3)} %` : "",
    known ? `${done}/${total} ${unit}` : `${done} ${unit}`,
    finished ? `in ${duration(elapsed)}` : left === undefined ? "" : `${duration(left)} left`,
    speed,
    ...Object.entries(figures).map(([name, value]) => `${words(name)} ${short(value)}`),
  ].filter((part) => part !== "");
  if (width === null) return `${stage}: ${parts.join(", ").trim()}`;
  const room = width - stage.length - 3;
  // What does not fit is left out from the end; the bar takes what remains.
  while (parts.length > 1 && parts.join("  ").length + 8 > room) parts.pop();
  const barWidth = Math.min(30, room - parts.join("  ").length - 2);
  const filled = Math.round(share * barWidth);
  const bar = known && barWidth >= 6 ? `${"█".repeat(filled)}${"░".repeat(barWidth - filled)}  ` : "";
  return `${stage}  ${bar}${parts.join("  ")}`.slice(0, width);
}

/** Seconds as `m:ss` or `h:mm:ss`. */
function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const two = (value: number): string => String(value).padStart(2, "0");
  const minutes = Math.floor(whole / 60);
  return minutes < 60 ? `${minutes}:${two(whole % 60)}` : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(whole % 60)}`;
}

/** Four significant digits, no trailing zeros; very small numbers as powers of ten. */
function short(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) return value.toExponential(2);
  return String(Number(value.toPrecision(size >= 100 ? 4 : 3)));
}

/** `validLoss` as `valid loss`. */
function words(name: string): string {
  return name.replace(/([a-z])([A-Z])/g, (_, before: string, after: string) => `${before} ${after.toLowerCase()}`);
}
