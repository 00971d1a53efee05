/** Chromium: pages, frames and workers as targets, by its remote debugging port. */
import type { Connector } from "../attach/connector.ts";
import { Browser } from "./browser.ts";
import { BrowserConnection } from "./browser_connection.ts";
import { remarkOnFlags } from "./start_flags.ts";

/** The path of one target's WebSocket, and the target's id (`devtools_http_handler.cc`). */
const PAGE_PATH = /^\/devtools\/page\/([^/?]+)/;

/** Makes targets of a browser's pages, or of the one page whose WebSocket the user has named. */
export const connectChromium: Connector = async (endpoint, host, options) => {
  const { browserUrl, runtime } = endpoint;
  if (browserUrl === undefined) throw new Error("it does not tell its WebSocket");
  const connection = await BrowserConnection.connect(browserUrl);
  try {
    const { commandLine } = await connection.browser.send("SystemInfo.getInfo");
    const browser = new Browser(connection, host, {
      ...options,
      runtime,
      remark: remarkOnFlags(commandLine),
      hasCodeCache: !/--v8-cache-options=none\b/.test(commandLine),
    });
    const [, targetId] = options.path?.match(PAGE_PATH) ?? [];
    const targets = await (targetId ? browser.attachOne(targetId) : browser.attachAll());
    if (targets.length === 0) throw new Error("it shows no page");
    return targets;
  } catch (error) {
    await connection[Symbol.asyncDispose]();
    throw error;
  }
};
