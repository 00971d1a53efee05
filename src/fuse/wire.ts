/**
 * The layout of the kernel's structures in bytes: one declaration gives the TypeScript type, the
 * size, the decoder and the encoder. All integers are in the host's order, which is little endian on
 * every machine that Node and Deno run V8 on.
 */

/** A message that is shorter than its own structures say, or a value that does not fit its field. */
export class WireError extends RangeError {
  override name = "WireError";
}

/** A number of 2^53 or more where none of ours is so large: the caller asked for something impossible. */
export class LargeValueError extends WireError {
  override name = "LargeValueError";
}

/** Reads values in order from a message; every read is checked against its end. */
export class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Bytes not yet read. */
  get remaining(): number {
    return this.#bytes.length - this.#offset;
  }

  #take(size: number): number {
    const at = this.#offset;
    if (size > this.#bytes.length - at) {
      throw new WireError(`Cannot read ${size} bytes: only ${this.remaining} are left`);
    }
    this.#offset = at + size;
    return at;
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  i32(): number {
    return this.#view.getInt32(this.#take(4), true);
  }

  u64(): bigint {
    return this.#view.getBigUint64(this.#take(8), true);
  }

  /** @throws {LargeValueError} if the value is not a safe integer. */
  u53(): number {
    const at = this.#take(8);
    const high = this.#view.getUint32(at + 4, true);
    if (high >= 0x200000) throw new LargeValueError("Cannot read a 64-bit value: it is above 2^53");
    return high * 0x1_0000_0000 + this.#view.getUint32(at, true);
  }

  skip(size: number): void {
    this.#take(size);
  }

  /** A view into the message, valid as long as the message is. */
  bytes(size: number): Uint8Array {
    const at = this.#take(size);
    return this.#bytes.subarray(at, at + size);
  }

  /** A name in the kernel's form: bytes up to a NUL. */
  name(): string {
    const end = this.#bytes.indexOf(0, this.#offset);
    if (end < 0) throw new WireError("Cannot read a name: no NUL ends it");
    const text = decoder.decode(this.#bytes.subarray(this.#offset, end));
    this.#offset = end + 1;
    return text;
  }
}

// A name may begin with U+FEFF, which a decoder drops unless told not to.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const encoder = new TextEncoder();

/** Writes values in order into a buffer that grows when it must and is reused from reply to reply. */
export class Writer {
  #bytes: Uint8Array;
  #view: DataView;
  #offset = 0;

  /** @param capacity Bytes to begin with. */
  constructor(capacity = 4096) {
    this.#bytes = new Uint8Array(capacity);
    this.#view = new DataView(this.#bytes.buffer);
  }

  get length(): number {
    return this.#offset;
  }

  /** Discards everything written and begins again after `offset` bytes, which are left for a header. */
  restart(offset = 0): this {
    this.#offset = 0;
    this.#take(offset);
    return this;
  }

  /** Goes back to a place that was written, to fill in a header. */
  seek(offset: number): this {
    this.#offset = offset;
    return this;
  }

  /** Everything written so far; the view is valid until the next `restart`. */
  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#offset);
  }

  /** May replace the buffer: look it up only after this call. */
  #take(size: number): number {
    const at = this.#offset;
    const end = at + size;
    if (end > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(end, this.#bytes.length * 2));
      grown.set(this.#bytes);
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    this.#offset = end;
    return at;
  }

  u16(value: number): void {
    const at = this.#take(2);
    this.#view.setUint16(at, value, true);
  }

  u32(value: number): void {
    const at = this.#take(4);
    this.#view.setUint32(at, value, true);
  }

  i32(value: number): void {
    const at = this.#take(4);
    this.#view.setInt32(at, value, true);
  }

  u64(value: bigint): void {
    const at = this.#take(8);
    this.#view.setBigUint64(at, value, true);
  }

  u53(value: number): void {
    const at = this.#take(8);
    this.#view.setUint32(at, value % 0x1_0000_0000, true);
    this.#view.setUint32(at + 4, Math.floor(value / 0x1_0000_0000), true);
  }

  zeros(size: number): void {
    const at = this.#take(size);
    this.#bytes.fill(0, at, at + size);
  }

  bytes(value: Uint8Array): void {
    const at = this.#take(value.length);
    this.#bytes.set(value, at);
  }

  /** Text as UTF-8, without an end mark. */
  text(value: string): void {
    this.bytes(encoder.encode(value));
  }
}

/**
 * The kind of a field. `u64` is a bigint. `u53` is an unsigned 64-bit integer that is held as a number: the
 * protocol keeps its values below 2^53 (node ids and handles, which are ours, offsets and sizes).
 */
export type Scalar = "u16" | "u32" | "i32" | "u64" | "u53";

/** A `u53` that names something: the decoded number has the type of such names. */
export type Naming<N extends number> = "u53" & { readonly names: N };

/** A field of numbers that name things. */
export function naming<N extends number>(): Naming<N> {
  return "u53" as Naming<N>;
}

/** Bytes that carry nothing: they are skipped when read and zero when written. */
export interface Padding {
  readonly padding: number;
}

export type Fields = { readonly [name: string]: Scalar | Padding | Struct<object> };

type FieldValue<T> = T extends { readonly names: infer N } ? N
  : T extends "u64" ? bigint
  : T extends Scalar ? number
  : T extends Struct<infer V> ? V
  : never;

/** The TypeScript type that a set of fields describes; padding has no place in it. */
export type ValueOf<F extends Fields> = {
  -readonly [K in keyof F as F[K] extends Padding ? never : K]: FieldValue<F[K]>;
};

/** A structure of the kernel's. */
export interface Struct<T extends object> {
  readonly name: string;
  /** In bytes. */
  readonly size: number;
  /** @throws {WireError} if the message ends before the structure does. */
  decode(reader: Reader): T;
  encode(writer: Writer, value: T): void;
}

/** The type that a {@linkcode Struct} decodes to. */
export type Decoded<S> = S extends Struct<infer T> ? T : never;

const SIZES: Record<Scalar, number> = { u16: 2, u32: 4, i32: 4, u64: 8, u53: 8 };

/** Bytes that carry nothing. */
export function padding(size: number): Padding {
  return { padding: size };
}

interface Step {
  readonly key: string;
  readonly kind: Scalar | "struct" | "padding";
  readonly size: number;
  readonly inner: Struct<object> | undefined;
}

function stepOf(key: string, field: Scalar | Padding | Struct<object>): Step {
  if (typeof field === "string") return { key, kind: field, size: SIZES[field], inner: undefined };
  if ("padding" in field) return { key, kind: "padding", size: field.padding, inner: undefined };
  return { key, kind: "struct", size: field.size, inner: field };
}

/** Declares a structure: its fields in the kernel's order, under the kernel's names. */
export function struct<const F extends Fields>(name: string, fields: F): Struct<ValueOf<F>> {
  const steps = Object.entries(fields).map(([key, field]) => stepOf(key, field));
  return {
    name,
    size: steps.reduce((sum, step) => sum + step.size, 0),
    decode(reader) {
      const value: Record<string, unknown> = {};
      for (const step of steps) {
        if (step.kind === "padding") reader.skip(step.size);
        else if (step.kind === "struct") value[step.key] = step.inner!.decode(reader);
        else value[step.key] = reader[step.kind]();
      }
      return value as ValueOf<F>;
    },
    encode(writer, value) {
      const from = value as Record<string, never>;
      for (const step of steps) {
        if (step.kind === "padding") writer.zeros(step.size);
        else if (step.kind === "struct") step.inner!.encode(writer, from[step.key]);
        else writer[step.kind](from[step.key]);
      }
    },
  };
}
