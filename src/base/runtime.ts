/** Whether this is Deno, which does some things otherwise than Node. */
export function isDeno(): boolean {
  return process.versions["deno"] !== undefined;
}
