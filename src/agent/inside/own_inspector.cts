/** An isolate's inspector sessions with itself. */

/** Carries out a CDP message; returns the replies, the answer last. */
type Dispatch = (message: string) => string[];

type MakeConnection = new (receive: (message: string) => void) => {
  dispatch(message: string): void;
  disconnect(): void;
};

/**
 * Opens a session, which answers before `dispatch` returns.
 *
 * Node's `Session` parses each message, which would have to be written out again. So the connection beneath
 * it is used, which Node lends out (`process.binding`, in 20 to 26).
 *
 * @throws when Node makes no inspector for this process, or denies it.
 */
function connect(): { dispatch: Dispatch; disconnect: () => void } {
  let replies: string[] = [];
  const take = () => {
    const taken = replies;
    replies = [];
    return taken;
  };
  const receive = (message: string) => void (replies[replies.length] = message);
  const Connection = findConnection();
  if (!Connection) return connectSession(receive, take);
  const connection = new Connection(receive);
  const dispatch = connection.dispatch.bind(connection);
  return {
    dispatch: (message) => {
      dispatch(message);
      return take();
    },
    disconnect: () => connection.disconnect(),
  };
}

function connectSession(
  receive: (message: string) => void,
  take: () => string[],
): { dispatch: Dispatch; disconnect: () => void } {
  const { Session } = require("node:inspector") as typeof import("node:inspector");
  const session = new Session();
  session.connect();
  const post = session.post.bind(session) as (...rest: unknown[]) => void;
  const { parse, stringify } = JSON;
  return {
    dispatch: (message) => {
      const { id, method, params } = parse(message);
      post(method, params, (error: unknown, result: unknown) => {
        receive(stringify(error ? { id, error } : { id, result }));
      });
      return take();
    },
    disconnect: () => session.disconnect(),
  };
}

function findConnection(): MakeConnection | undefined {
  const { binding } = process as unknown as { binding?: (name: string) => object };
  try {
    // With `--pending-deprecation` the user would see a warning.
    const inspector = withoutDeprecation(() => binding?.call(process, "inspector"));
    return (inspector as { Connection?: MakeConnection })?.Connection;
  } catch {
    return undefined;
  }
}

/**
 * Calls a deprecated function without a warning. If warnings are off already, that setting may be read-only.
 */
function withoutDeprecation<T>(call: () => T): T {
  const { noDeprecation } = process;
  if (noDeprecation) return call();
  try {
    process.noDeprecation = true;
    return call();
  } finally {
    if (noDeprecation === undefined) delete process.noDeprecation;
    else process.noDeprecation = noDeprecation;
  }
}

/**
 * Why this process has no inspector; undefined if it has one. It has none under `node --test`, whose test
 * files are processes of their own; in programs that are no plain Node; and where the permission model
 * forbids it.
 *
 * This must be known before another thread asks for the process's inspector: Node then aborts
 * (`Agent::ConnectToMainThread` in `inspector_agent.cc`; measured on Node 20 to 26). A session of the
 * thread's own only gets an exception.
 */
function whyNoInspector(): Error | undefined {
  try {
    connect().disconnect();
    return undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException | undefined)?.code !== undefined) return error as Error;
    return new Error("Node gives this process no inspector (as for 'node --test' itself)");
  }
}

const parts = { connect, whyNoInspector, withoutDeprecation };
module.exports = parts;
export type Parts = typeof parts;
