/** The address that `kcovfs attach` was given. */
export type TargetAddress =
  | { readonly kind: "process"; readonly pid: number }
  | { readonly kind: "endpoint"; readonly host: string; readonly port: number }
  | {
    readonly kind: "websocket";
    readonly host: string;
    readonly port: number;
    /** The part of the URL after the port. */
    readonly path: string;
  };

const MOST_PID = 4_194_304;

/**
 * Reads `PID`, `HOST:PORT`, `[IPv6]:PORT` or `ws://HOST:PORT/PATH`.
 *
 * @throws {SyntaxError} if it is none of these; the message names the text and the forms.
 */
export function parseAddress(text: string): TargetAddress {
  if (/^\d+$/.test(text)) {
    const pid = Number(text);
    if (pid > 0 && pid <= MOST_PID) return { kind: "process", pid };
    throw new SyntaxError(`${text} is no process id: these are 1 to ${MOST_PID}`);
  }
  const address = /^ws:\/\//i.test(text) ? parseUrl(text) : parseEndpoint(text);
  if (address) return address;
  throw new SyntaxError(`${JSON.stringify(text)} is neither PID nor HOST:PORT nor ws://...`);
}

function parseEndpoint(text: string): TargetAddress | undefined {
  const [, bracketed, plain, digits] = text.match(/^(?:\[([^\]]+)\]|([^:/\s]+)):(\d{1,5})$/) ?? [];
  const port = Number(digits);
  if (!(port > 0 && port < 65536)) return undefined;
  return { kind: "endpoint", host: bracketed ?? plain, port };
}

function parseUrl(text: string): TargetAddress | undefined {
  if (!URL.canParse(text)) return undefined;
  const { hostname, port, pathname, search } = new URL(text);
  const host = hostname.replace(/^\[|\]$/g, "");
  return { kind: "websocket", host, port: Number(port || 80), path: pathname + search };
}
