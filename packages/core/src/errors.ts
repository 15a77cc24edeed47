/**
 * The one error class of geolearn. Codes are public API; a new one is added to {@link ErrorCode} and is then listed
 * in the generated reference. Errors are told apart by `code`, never by `instanceof`, so two copies of a package agree.
 */

/** Every way geolearn refuses work. */
export type ErrorCode =
  // input of any kind
  | "INVALID_ARGUMENT"
  | "FILE_NOT_FOUND"
  | "UNSUPPORTED_FORMAT"
  | "NETWORK_NOT_ALLOWED"
  | "NETWORK_FAILED"
  | "CHECKSUM_MISMATCH"
  | "LIMIT_EXCEEDED"
  | "TIMEOUT"
  // rasters
  | "RASTER_CORRUPT"
  | "RASTER_UNSUPPORTED"
  | "RASTER_NO_TRANSFORM"
  | "RASTER_MISMATCH"
  | "WINDOW_OUTSIDE"
  | "ALL_NODATA"
  // reference systems
  | "CRS_MISSING"
  | "CRS_UNKNOWN"
  | "CRS_MISMATCH"
  | "CRS_GRID_MISSING"
  | "CRS_OUT_OF_RANGE"
  // features
  | "FEATURES_CORRUPT"
  | "FEATURES_EMPTY"
  | "GEOMETRY_INVALID"
  | "FIELD_MISSING"
  // chips and labels
  | "LABELS_OUTSIDE"
  | "LABELS_EMPTY"
  | "CHIPS_CORRUPT"
  | "CHIPS_MISMATCH"
  | "CLASS_UNKNOWN"
  | "SPLIT_IMPOSSIBLE"
  // models and training
  | "CHIP_SIZE_NOT_DIVISIBLE"
  | "BANDS_MISMATCH"
  | "TASK_MISMATCH"
  | "MODEL_CORRUPT"
  | "MODEL_FOREIGN"
  | "MODEL_EXTERNAL_DATA"
  | "MODEL_NOT_DEFINED"
  | "MODEL_INVALID"
  | "WEIGHTS_MISMATCH"
  | "CHECKPOINT_CORRUPT"
  | "LOSS_NOT_FINITE"
  | "RESOLUTION_MISMATCH"
  // engine
  | "DEVICE_UNAVAILABLE"
  | "DEVICE_LOST"
  | "KERNEL_MISSING"
  | "RECORDING_READ"
  | "RECORDING_CONSTANT"
  | "MULTIPLE_TFJS"
  | "ENGINE_FAILED"
  // writing
  | "OUTPUT_EXISTS"
  | "OUTPUT_LOCKED"
  | "DISK_FULL"
  | "WRITE_FAILED";

/** What an error carries besides its message. */
export interface ErrorDetails {
  /** How to go on, one sentence or command. */
  readonly hint?: string;
  /** The values the message speaks of, for programs. */
  readonly data?: Readonly<Record<string, unknown>>;
  /** The failure underneath, if it came from elsewhere. */
  readonly cause?: unknown;
}

/**
 * An error with a stable `code`, a message "given, expected", and a `hint` that says how to go on.
 *
 * @example
 * try { await openRaster("scene.tif"); } catch (error) {
 *   if (GeoLearnError.is(error, "RASTER_CORRUPT")) console.error(error.message, error.hint);
 * }
 */
export class GeoLearnError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly data: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = "GeoLearnError";
    this.code = code;
    this.hint = details.hint;
    this.data = details.data ?? {};
  }

  /** True for an error of geolearn (with this code, when one is given), whichever copy of the package made it. */
  static is(error: unknown, code?: ErrorCode): error is GeoLearnError {
    if (!(error instanceof Error) || error.name !== "GeoLearnError" || !("code" in error)) return false;
    return code === undefined || error.code === code;
  }
}
