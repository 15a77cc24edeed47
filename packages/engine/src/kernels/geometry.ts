/** Windows that move over images. */

/**
 * Padding behind an axis so that dividing down gives `out` windows: tfjs rounds up or half up on request. Negative values are never needed: what
 * is left over behind the last window stays unread.
 */
export function endPad(length: number, out: number, stride: number, span: number, before: number): number {
  return Math.max(0, (out - 1) * stride + span - length - before);
}
