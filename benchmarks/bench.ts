/** What a benchmark is: a file here that exports `benchmarks`; `run.ts` finds it, runs it and prints its rows. */

/** One measurement, as `pnpm bench --json` writes it. */
export interface BenchmarkRow {
  readonly name: string;
  /** Our figure, median of the runs. */
  readonly ours: number;
  /** The peer's figure, or null where there is none. */
  readonly peer: number | null;
  readonly peerName: string | null;
  readonly unit: string;
  /** Ours over the peer's, or null without a peer. */
  readonly ratio: number | null;
  /** The ratio (or, without a peer, our figure) must not be above this. */
  readonly atMost?: number;
  /** ... must not be below this. */
  readonly atLeast?: number;
  /** Whether the bound holds; null where no bound is set. */
  readonly holds: boolean | null;
  /** Measured runs a side. */
  readonly runs: number;
  /** Machine, sizes, threads, versions. */
  readonly conditions: Readonly<Record<string, string | number | boolean>>;
}

/** What a benchmark is given. */
export interface BenchmarkContext {
  /** Python of the peers, or null: then rows have no peer. */
  readonly python: string | null;
  /** Folder of the peers' scripts, or null. */
  readonly peerScripts: string | null;
  /** Smaller sizes and fewer runs, to see that everything works. */
  readonly quick: boolean;
  /** Show where the time goes instead of measuring it, where a benchmark can. */
  readonly profile: boolean;
  /** Measured runs a side, when the caller wants another number than the benchmark's own. */
  readonly runs: number | null;
  /** A folder of its own for scratch files; removed afterwards unless it is to be kept, and then filled by an earlier run. */
  readonly scratch: string;
  /** Says on stderr what is going on. */
  readonly log: (text: string) => void;
}

/** A benchmark; one may give several rows. */
export interface Benchmark {
  /** What the filter of the command line is matched against. */
  readonly name: string;
  run(context: BenchmarkContext): Promise<readonly BenchmarkRow[]>;
}

/** Middle value; the mean of the two middle ones of an even number. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Runs both sides in turn, so that a busy machine slows both; the side that starts changes each round. */
export async function alternate<Ours, Peer>(
  runs: number,
  ours: (run: number) => Promise<Ours>,
  peer: ((run: number) => Promise<Peer>) | null,
): Promise<{ ours: Ours[]; peer: Peer[] }> {
  const results: { ours: Ours[]; peer: Peer[] } = { ours: [], peer: [] };
  for (let run = 0; run < runs; run++) {
    const sides = [async () => results.ours.push(await ours(run)), async () => peer && results.peer.push(await peer(run))];
    for (const side of run % 2 === 0 ? sides : sides.reverse()) await side();
  }
  return results;
}

/** What {@link makeRow} is given. */
export interface RowParts extends Pick<BenchmarkRow, "name" | "unit" | "atMost" | "atLeast" | "conditions"> {
  /** Our figure of each run. */
  readonly ours: readonly number[];
  /** The peer's figure of each run; empty without a peer. */
  readonly peer: readonly number[];
  readonly peerName: string | null;
}

/** A row from the figures of all runs: medians, their ratio, and whether the bound holds. */
export function makeRow({ name, unit, atMost, atLeast, conditions, ours, peer, peerName }: RowParts): BenchmarkRow {
  const own = median(ours);
  const other = peer.length > 0 ? median(peer) : null;
  const ratio = other === null ? null : own / other;
  const judged = ratio ?? (peerName === null ? own : null);
  const bounded = atMost !== undefined || atLeast !== undefined;
  return {
    name,
    ours: own,
    peer: other,
    peerName,
    unit,
    ratio,
    ...(atMost === undefined ? {} : { atMost }),
    ...(atLeast === undefined ? {} : { atLeast }),
    holds: bounded && judged !== null ? judged <= (atMost ?? Infinity) && judged >= (atLeast ?? -Infinity) : null,
    runs: ours.length,
    conditions,
  };
}
