import { get } from "node:http";
import { isIPv6 } from "node:net";

/** One thing at an endpoint that a session can be opened with. */
export interface Inspectable {
  readonly id: string;
  /** As the endpoint names it: `node`, `page`, `worker`, `service_worker`, ... */
  readonly type: string;
  readonly title: string;
  /** Of its main script or document. */
  readonly url: string;
  readonly webSocketUrl: string;
}

/** Whose inspector it is. */
export type EndpointKind = "node" | "deno" | "chromium";

/** An inspector's HTTP server. */
export interface Endpoint {
  readonly kind: EndpointKind;
  /** As `ps` shows it: `node v20.20.2`, `deno 2.9.0`, `chromium 140.0.7339.80`. */
  readonly runtime: string;
  /** The IP address that answered. */
  readonly address: string;
  readonly port: number;
  /** Chromium's own WebSocket, through which all of its targets are reached. */
  readonly browserUrl?: string;
  readonly inspectables: readonly Inspectable[];
}

/** ms that an endpoint is given for each of its two answers. */
const TIMEOUT = 5000;
/** Bytes of an answer: a browser with some thousand tabs stays below. */
const MOST_BYTES = 4 * 1024 * 1024;

/**
 * Asks an inspector what it is and what it has, by `GET /json/version` and `GET /json/list` (Node's
 * `inspector_socket_server.cc`, Deno's `inspector_server`, Chromium's `devtools_http_handler.cc`).
 *
 * @param addresses IP addresses of one host, tried in order.
 * @throws {Error} when none of them answers in time as an inspector does.
 */
export async function findEndpoint(
  addresses: readonly string[],
  port: number,
  options: { timeout?: number } = {},
): Promise<Endpoint> {
  const timeout = options.timeout ?? TIMEOUT;
  const reasons: string[] = [];
  for (const address of addresses) {
    try {
      const version = await ask(address, { port, path: "/json/version", timeout });
      const list = await ask(address, { port, path: "/json/list", timeout });
      return classify(version, { list, address, port });
    } catch (error) {
      reasons.push(`${hostAndPort(address, port)}: ${(error as Error).message}`);
    }
  }
  throw new Error(`Cannot find an inspector at ${reasons.join(", nor at ")}`);
}

/** An address and a port as a URL has them. */
export function hostAndPort(address: string, port: number): string {
  return isIPv6(address) ? `[${address}]:${port}` : `${address}:${port}`;
}

/** Makes an endpoint of its two answers. */
function classify(
  version: unknown,
  { list, address, port }: { list: unknown; address: string; port: number },
): Endpoint {
  const browser = text(version, "Browser");
  const [, name, number] = browser.match(/^([^/]+)\/v?(.+)$/) ?? [];
  const kind = KINDS.find(([pattern]) => pattern.test(name ?? ""))?.[1];
  if (!kind) throw new Error(`it is ${JSON.stringify(browser)}, not Node, Deno or Chromium`);
  // It says how it sees itself, which need not be where it was reached: only the path is believed.
  const here = (url: string) => `ws://${hostAndPort(address, port)}${new URL(url).pathname}`;
  const browserUrl = text(version, "webSocketDebuggerUrl");
  const entries = Array.isArray(list) ? list : [];
  return {
    kind,
    runtime: kind === "node" ? `node v${number}` : `${kind} ${number}`,
    address,
    port,
    ...(URL.canParse(browserUrl) && { browserUrl: here(browserUrl) }),
    inspectables: entries.flatMap((entry) => {
      const url = text(entry, "webSocketDebuggerUrl");
      if (!URL.canParse(url)) return [];
      const [id, type, title] = ["id", "type", "title"].map((key) => text(entry, key));
      return [{ id, type, title, url: text(entry, "url"), webSocketUrl: here(url) }];
    }),
  };
}

const KINDS: readonly (readonly [RegExp, EndpointKind])[] = [
  [/^node/i, "node"],
  [/^deno/i, "deno"],
  [/chrom/i, "chromium"],
];

function text(value: unknown, key: string): string {
  const found = (value as Record<string, unknown> | null)?.[key];
  return typeof found === "string" ? found : "";
}

/** The JSON that an address answers; rejects with a reason that can follow `ADDRESS: `. */
function ask(
  address: string,
  { port, path, timeout }: { port: number; path: string; timeout: number },
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    // Node answers only to those that name it by an IP address or `localhost`.
    const request = get({ host: address, port, path, agent: false }, (response) => {
      const chunks: Uint8Array[] = [];
      let length = 0;
      response.on("data", (chunk: Uint8Array) => {
        chunks.push(chunk);
        length += chunk.length;
        if (length > MOST_BYTES) reject(new Error(`it answers more than ${MOST_BYTES} bytes`));
        if (length > MOST_BYTES) request.destroy();
      });
      response.on("error", reject);
      response.on("end", () => {
        try {
          if (response.statusCode !== 200) throw new Error();
          resolve(JSON.parse(Buffer.concat(chunks).toString()));
        } catch {
          reject(new Error("what answers is no inspector"));
        }
      });
    });
    // The whole of it, not each of its bytes.
    const timer = setTimeout(() => {
      reject(new Error(`no answer within ${timeout} ms`));
      request.destroy();
    }, timeout);
    request.on("close", () => clearTimeout(timer));
    request.on("error", (error: NodeJS.ErrnoException) => {
      const isHttp = error.code?.startsWith("HPE_") ?? false;
      const isRefused = error.code === "ECONNREFUSED";
      const reason = isRefused ? "nobody listens" : isHttp ? "what answers is no inspector" : "";
      reject(new Error(reason || error.message));
    });
  });
}
