import type { Connection } from "./connection.ts";

/** How the text of a `Debugger.scriptParsed` begins, as V8 writes it. */
const PARSED = '{"method":"Debugger.scriptParsed"';
const ENABLE = 1;
const DISABLE = 2;

/**
 * The URLs of all scripts of an isolate; the empty one as often as there are scripts without. V8 tells of
 * those that are there when its `Debugger` domain is enabled, which is for as long as that takes.
 *
 * @param connect Connects to the isolate's inspector.
 */
export async function listScripts(
  connect: (receive: (message: string) => void) => Connection,
): Promise<string[]> {
  const urls: string[] = [];
  const replies = new Map<number, () => void>();
  const connection = connect((message) => {
    // See `MainThread`.
    setImmediate(() => {});
    if (message.startsWith(PARSED)) urls.push(JSON.parse(message).params.url);
    else replies.get(JSON.parse(message).id)?.();
  });
  const send = (id: number, method: string) =>
    new Promise<void>((resolve) => {
      replies.set(id, resolve);
      connection.dispatch(JSON.stringify({ id, method }));
    });
  await send(ENABLE, "Debugger.enable");
  await send(DISABLE, "Debugger.disable");
  connection.disconnect();
  return urls;
}
