/** The part of the `lerc` package that is used; it ships no types. */
declare module "lerc" {
  /** A decoded blob: one array per band, or one with all values of a pixel's depth after one another. */
  interface LercResult {
    readonly width: number;
    readonly height: number;
    readonly pixels: readonly (
      | Uint8Array
      | Int8Array
      | Uint16Array
      | Int16Array
      | Uint32Array
      | Int32Array
      | Float32Array
      | Float64Array
    )[];
    readonly mask?: Uint8Array | null;
  }
  const library: {
    decode(bytes: ArrayBuffer, options: { readonly returnPixelInterleavedDims: boolean }): LercResult;
  };
  export default library;
}
