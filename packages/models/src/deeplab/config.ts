/** What a DeepLab is made from, as a user writes it and as a model package keeps it. */

import { fieldsOf } from "../network/config-fields.ts";
import {
  type EncodedPixelsConfig,
  outputStrideOf,
  type ResolvedEncodedPixelsConfig,
  resolveEncodedPixels,
} from "../network/encoded-pixels-config.ts";

/** What `createDeepLab` takes. */
export interface DeepLabConfig extends EncodedPixelsConfig {
  /** What the image's sides are divided by in the encoder's smallest map; sides of chips are multiples of it. @defaultValue 16 */
  readonly outputStride?: 8 | 16;
  /** How far apart the taps of the pyramid's three 3x3 convolutions lie, in pixels of that map. @defaultValue [6, 12, 18], with output stride 8 twice as much */
  readonly atrousRates?: readonly number[];
  /** Channels of the pyramid and the decoder. @defaultValue 256 */
  readonly decoderWidth?: number;
  /** Share of the pyramid's numbers that each training step leaves out. @defaultValue 0.5 */
  readonly dropout?: number;
}

/** A complete, checked {@link DeepLabConfig}. */
export interface ResolvedDeepLabConfig extends ResolvedEncodedPixelsConfig {
  readonly outputStride: 8 | 16;
  readonly atrousRates: readonly number[];
  readonly dropout: number;
}

const WIDTH = 256;
const DROPOUT = 0.5;
/** Of output stride 16, by Chen et al. */
const RATES = [6, 12, 18];
const MAX_RATE = 1024;

const fields = fieldsOf("DeepLab");

/**
 * Fills in the defaults and checks every field.
 *
 * @throws INVALID_ARGUMENT that names the field, what was given and what is expected
 */
export function resolveDeepLabConfig(config: DeepLabConfig): ResolvedDeepLabConfig {
  const outputStride = outputStrideOf(fields, config.outputStride ?? 16, [8, 16]);
  return {
    ...resolveEncodedPixels(fields, config, WIDTH),
    outputStride,
    atrousRates: ratesOf(config.atrousRates ?? RATES.map((rate) => (rate * 16) / outputStride)),
    dropout: fields.dropoutOf(config.dropout ?? DROPOUT),
  };
}

function ratesOf(rates: unknown): readonly number[] {
  if (!Array.isArray(rates) || rates.length !== RATES.length) throw fields.wrong("atrousRates", rates, `${RATES.length} whole numbers`);
  return rates.map((rate: unknown) => fields.whole("atrousRates", rate, 1, MAX_RATE));
}
