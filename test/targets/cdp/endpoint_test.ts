import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Endpoint, findEndpoint } from "../../../src/targets/cdp/endpoint.ts";

const endpoint = suite("targets/endpoint");

const HOST = "127.0.0.1";

/** ms: a busy machine must not make an answer late, and silence must not take long. */
const PATIENCE = 30_000;
const IMPATIENCE = 300;

/** Asks a server that answers like this. */
async function asked(
  answer: RequestListener,
  { addresses = [HOST], timeout = PATIENCE } = {},
): Promise<{ port: number; found: Endpoint | Error }> {
  const server = createServer(answer).listen(0, HOST);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  try {
    const found = await findEndpoint(addresses, port, { timeout }).catch((error) => error);
    return { port, found };
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

/** Answers as an inspector does. */
function inspector(version: unknown, list: unknown): RequestListener {
  return (request, response) => {
    response.end(JSON.stringify(request.url === "/json/version" ? version : list));
  };
}

const NODE_ENTRY = {
  description: "node.js instance",
  id: "5e5d",
  title: "server.js",
  type: "node",
  url: "file:///srv/server.js",
  webSocketDebuggerUrl: "ws://0.0.0.0:9229/5e5d",
};

/** The entry when somebody else is connected. */
const TAKEN_ENTRY = { id: "x", title: "", type: "page", url: "about:blank" };

endpoint("Node, Deno and Chromium are told apart, with their versions", async () => {
  const browsers: [string, string, string][] = [
    ["node.js/v20.20.2", "node", "node v20.20.2"],
    ["Deno/2.9.0", "deno", "deno 2.9.0"],
    ["Chrome/140.0.7339.80", "chromium", "chromium 140.0.7339.80"],
    ["HeadlessChrome/140.0.7339.80", "chromium", "chromium 140.0.7339.80"],
  ];
  for (const [Browser, kind, runtime] of browsers) {
    const { found } = await asked(inspector({ Browser }, []));
    const { kind: foundKind, runtime: foundRuntime } = found as Endpoint;
    assert.equal([foundKind, foundRuntime], [kind, runtime]);
  }
});

endpoint("of the URLs that it tells, only the paths are believed", async () => {
  const version = {
    Browser: "Chrome/140.0.7339.80",
    webSocketDebuggerUrl: "ws://192.0.2.1:1/devtools/browser/b",
  };
  const { port, found } = await asked(inspector(version, [NODE_ENTRY, TAKEN_ENTRY]));
  assert.equal(found, {
    kind: "chromium",
    runtime: "chromium 140.0.7339.80",
    address: HOST,
    port,
    browserUrl: `ws://${HOST}:${port}/devtools/browser/b`,
    inspectables: [{
      id: "5e5d",
      type: "node",
      title: "server.js",
      url: "file:///srv/server.js",
      webSocketUrl: `ws://${HOST}:${port}/5e5d`,
    }],
  });
});

endpoint("the addresses of a host are tried in order", async () => {
  const answer = inspector({ Browser: "node.js/v24.9.0" }, [NODE_ENTRY]);
  const { found } = await asked(answer, { addresses: ["127.0.0.2", HOST] });
  assert.is((found as Endpoint).address, HOST);
});

endpoint("what is no inspector is refused, whatever it answers", async () => {
  const NONE = "what answers is no inspector: of /json/version";
  const answers: [string, RequestListener][] = [
    [`${NONE}, status 404`, (_, response) => response.writeHead(404).end("{}")],
    [`${NONE}, it is no JSON`, (_, response) => response.end("<html>")],
    ['it is "nginx/1.2", not Node, Deno or Chromium', inspector({ Browser: "nginx/1.2" }, [])],
    [`${NONE}, it must be an object, not null`, inspector(null, null)],
    [`${NONE}, Browser must be a text, not 7`, inspector({ Browser: 7 }, {})],
    [
      "what answers is no inspector: of /json/list, 0.type is missing",
      inspector({ Browser: "Deno/2.9.0" }, [{ id: "x" }]),
    ],
    ["no answer within 300 ms", () => {}],
    ["no answer within 300 ms", (_, response) => void response.write("{")],
    [
      "it answers more than 4194304 bytes",
      (_, response) => {
        const more = () => response.write(Buffer.alloc(1 << 16)) ? setImmediate(more) : undefined;
        response.on("drain", more);
        more();
      },
    ],
  ];
  for (const [reason, answer] of answers) {
    const timeout = reason.startsWith("no answer") ? IMPATIENCE : PATIENCE;
    const { port, found } = await asked(answer, { timeout });
    assert.is(
      (found as Error).message,
      `Cannot find an inspector at ${HOST}:${port}: ${reason}`,
    );
  }
});

endpoint("what does not speak HTTP, or nobody, is refused", async () => {
  const server = createTcpServer((socket) =>
    socket.resume().on("error", () => {}).end("SSH-2.0-x\r\n")
  );
  server.listen(0, HOST);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const ask = () =>
    findEndpoint([HOST], port, { timeout: PATIENCE }).catch((error) => error.message);
  assert.is(
    await ask(),
    `Cannot find an inspector at ${HOST}:${port}: what answers is no inspector`,
  );
  server.close();
  await once(server, "close");
  assert.is(await ask(), `Cannot find an inspector at ${HOST}:${port}: nobody listens`);
});

endpoint.run();
