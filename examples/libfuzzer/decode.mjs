/**
 * A decoder of small images, to be fuzzed.
 *
 *     0 "TI"    2 version    3 width    4 height    5 runs...
 *
 * A run begins with a byte n. Below 0x80 a color follows, of which there are n pixels. From 0x80 on,
 * since version 2, n - 0x80 pixels follow.
 */

const HEADER = 5;
const LITERAL = 0x80;
const LONGEST_SIDE = 64;

/** The bytes are no image. */
export class FormatError extends Error {}

function decodeHeader(bytes) {
  if (bytes.length < HEADER) throw new FormatError("too short");
  if (bytes[0] !== 0x54) throw new FormatError("not an image");
  if (bytes[1] !== 0x49) throw new FormatError("not an image");
  const [, , version, width, height] = bytes;
  if (version !== 1 && version !== 2) throw new FormatError("not a version");
  if (width === 0 || width > LONGEST_SIDE) throw new FormatError("not a width");
  if (height === 0 || height > LONGEST_SIDE) throw new FormatError("not a height");
  return { version, width, height };
}

/**
 * @param {Uint8Array} bytes
 * @returns the image's width, its height, and its pixels, a byte each.
 */
export function decode(bytes) {
  const { version, width, height } = decodeHeader(bytes);
  const pixels = new Uint8Array(width * height);
  let filled = 0;
  for (let at = HEADER; filled < pixels.length;) {
    const n = bytes[at++];
    if (at >= bytes.length) throw new FormatError("too few pixels");
    if (n < LITERAL) {
      if (n > pixels.length - filled) throw new FormatError("too many pixels");
      pixels.fill(bytes[at++], filled, filled + n);
      filled += n;
    } else {
      if (version < 2) throw new FormatError("not a run");
      // The bug: unlike above, nobody checks that the run stays within the image.
      const run = bytes.subarray(at, at + n - LITERAL);
      pixels.set(run, filled);
      filled += run.length;
      at += run.length;
    }
  }
  return { width, height, pixels };
}
