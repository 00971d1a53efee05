/**
 * Why a block has no probe:
 *
 * - `never counted`: `else ;` and the empty source, which V8 never counts either;
 * - `never reached`: it follows a jump;
 * - `object scope`: it is in the body of a `with`, whose object would be asked for the probe's name;
 * - `computed name`: it begins with a field whose name is computed and whose value, a function without a
 *   name, takes that name;
 * - `no place`: it begins where no probe is known to fit.
 */
export type Unprobed =
  | "never counted"
  | "never reached"
  | "object scope"
  | "computed name"
  | "no place";
