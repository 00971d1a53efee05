import type { Connection } from "./connection.ts";

/** The beginning of a `Debugger.scriptParsed`, as V8 writes it. */
const PARSED = '{"method":"Debugger.scriptParsed"';
const ENABLE = 1;
const DISABLE = 2;

/**
 * The URLs of all scripts of an isolate; the empty URL as often as there are scripts without one. V8 lists
 * the existing scripts when its `Debugger` domain is enabled. It is enabled just for as long as that takes.
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
