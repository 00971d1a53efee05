import { createRequire } from "node:module";

const require = createRequire(import.meta.url);

/**
 * The inspector of the main thread, from a worker: CDP messages as text, both ways. The session keeps
 * neither thread alive.
 */
export interface Connection {
  dispatch(message: string): void;
  disconnect(): void;
}

type MakeConnection = new (receive: (message: string) => void) => Connection;

/**
 * Connects to the main thread's inspector.
 *
 * Node's public `Session` parses each message and hands out objects; a collection's text would be
 * parsed here only to be written out again. So the connection beneath it is used if Node still
 * lends it out (`process.binding`, deprecated but present in 20 to 26), else `Session`.
 */
export function connectToMainThread(receive: (message: string) => void): Connection {
  const make = findConnection();
  return make ? new make(receive) : connectSession(receive);
}

function findConnection(): MakeConnection | undefined {
  const { binding } = process as unknown as { binding?: (name: string) => object };
  try {
    const inspector = binding?.call(process, "inspector");
    return (inspector as { MainThreadConnection?: MakeConnection })?.MainThreadConnection;
  } catch {
    return undefined;
  }
}

/** The same by `Session`; exported for tests. */
export function connectSession(receive: (message: string) => void): Connection {
  // Some builds of Node do not have it.
  const { Session } = require("node:inspector") as typeof import("node:inspector");
  const session = new Session();
  session.connectToMainThread();
  session.on("inspectorNotification", (message) => receive(JSON.stringify(message)));
  return {
    dispatch(text) {
      const { id, method, params } = JSON.parse(text);
      session.post(method, params, (error: unknown, result?: object) => {
        receive(JSON.stringify(error ? { id, error } : { id, result }));
      });
    },
    disconnect: () => session.disconnect(),
  };
}
