import { get } from "node:http";
import { isIPv6 } from "node:net";
import * as v from "valibot";
import { checkJson, list, record } from "../../base/shape.ts";

/** A part of an endpoint that a session can be opened with. */
export interface Inspectable {
  readonly id: string;
  /** As the endpoint names it: `node`, `page`, `worker`, `service_worker`, ... */
  readonly type: string;
  readonly title: string;
  /** The URL of its main script or document. */
  readonly url: string;
  readonly webSocketUrl: string;
}

/** The runtime whose inspector it is. */
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

/** The answer to `GET /json/version`. */
const VERSION = record({
  Browser: v.string(),
  webSocketDebuggerUrl: v.exactOptional(v.string(), ""),
});
/** The answer to `GET /json/list`. */
const LIST = list(record({
  ...{ id: v.string(), type: v.string(), title: v.string(), url: v.string() },
  /** In older versions of Chromium, absent if somebody else is connected already. */
  webSocketDebuggerUrl: v.exactOptional(v.string(), ""),
}));

/** ms for each of an endpoint's two answers. */
const TIMEOUT = 5000;
/** Bytes of an answer: a browser with some thousand tabs stays below. */
const MOST_BYTES = 4 * 1024 * 1024;

/**
 * Asks an inspector for its kind and its parts, by `GET /json/version` and `GET /json/list` (Node's
 * `inspector_socket_server.cc`, Deno's `inspector_server`, Chromium's `devtools_http_handler.cc`).
 *
 * @param addresses IP addresses of one host, tried in order.
 * @throws {Error} if none of them answers in time as an inspector does.
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
      const version = await ask(VERSION, { address, port, path: "/json/version", timeout });
      const list = await ask(LIST, { address, port, path: "/json/list", timeout });
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
  { Browser: browser, webSocketDebuggerUrl: browserUrl }: v.InferOutput<typeof VERSION>,
  { list, address, port }: { list: v.InferOutput<typeof LIST>; address: string; port: number },
): Endpoint {
  const [, name, number] = browser.match(/^([^/]+)\/v?(.+)$/) ?? [];
  const kind = KINDS.find(([pattern]) => pattern.test(name ?? ""))?.[1];
  if (!kind) throw new Error(`it is ${JSON.stringify(browser)}, not Node, Deno or Chromium`);
  // The endpoint gives its address as it sees it, which may not be where it was reached: only the path is
  // used.
  const here = (url: string) => `ws://${hostAndPort(address, port)}${new URL(url).pathname}`;
  return {
    kind,
    runtime: kind === "node" ? `node v${number}` : `${kind} ${number}`,
    address,
    port,
    ...(URL.canParse(browserUrl) && { browserUrl: here(browserUrl) }),
    inspectables: list.flatMap(({ webSocketDebuggerUrl, ...rest }) =>
      URL.canParse(webSocketDebuggerUrl)
        ? [{ ...rest, webSocketUrl: here(webSocketDebuggerUrl) }]
        : []
    ),
  };
}

const KINDS: readonly (readonly [RegExp, EndpointKind])[] = [
  [/^node/i, "node"],
  [/^deno/i, "deno"],
  [/chrom/i, "chromium"],
];

/** The JSON answer of an address; rejects with a reason that can follow `ADDRESS: `. */
function ask<S extends v.GenericSchema>(
  schema: S,
  { address, port, path, timeout }: {
    address: string;
    port: number;
    path: string;
    timeout: number;
  },
): Promise<v.InferOutput<S>> {
  return new Promise((resolve, reject) => {
    // Node answers only if the request names it by an IP address or `localhost`.
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
          if (response.statusCode !== 200) throw new Error(`status ${response.statusCode}`);
          resolve(checkJson(schema, Buffer.concat(chunks).toString()));
        } catch (error) {
          const { message } = error as Error;
          reject(new Error(`what answers is no inspector: of ${path}, ${message}`));
        }
      });
    });
    // The time is for the whole answer, not for each of its parts.
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
