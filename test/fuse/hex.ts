/** Bytes as hexadecimal text, which tests write by hand, grouped as they like. */

/** Bytes for `"30000000 0e00"`. */
export function fromHex(...text: string[]): Uint8Array {
  const digits = text.join("").replace(/\s/g, "");
  if (!/^(?:[0-9a-f]{2})*$/.test(digits)) {
    throw new Error(`Cannot read as hexadecimal: ${digits}`);
  }
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

/** `"300000000e00"` for bytes. */
export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

/** The text without its spaces, as {@linkcode toHex} returns it. */
export function join(...text: string[]): string {
  return toHex(fromHex(...text));
}
