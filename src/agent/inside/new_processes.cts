/** Makes the child processes of an attached process join it, as those of `kcovfs run` do. */
const { optionsWith } = require("./new_workers.cjs") as import("./new_workers.cts").Parts;

/** The settings that a child process gets by its environment. */
interface Family {
  readonly socketPath: string;
  /** The name that the server gave this process. */
  readonly parent: string;
  /** Globs, each a JSON array of strings; empty for those of the server. */
  readonly include?: string | undefined;
  readonly exclude?: string | undefined;
}

/**
 * From here on, processes that are started join, by the environment.
 *
 * @returns a function that puts back everything that user code has not changed.
 */
function joinNewProcesses({ socketPath, parent, include, exclude }: Family): () => void {
  const { env } = process;
  const ours: [name: string, value: string | undefined][] = [
    ["NODE_OPTIONS", optionsWith(env["NODE_OPTIONS"])],
    ["KCOVFS_SOCKET", socketPath],
    ["KCOVFS_PARENT", parent],
    ["KCOVFS_INCLUDE", include || undefined],
    ["KCOVFS_EXCLUDE", exclude || undefined],
  ];
  const changes = ours.map(([name, value]) => ({ name, value, before: env[name] }));
  for (const { name, value } of changes) set(name, value);
  return () => {
    for (const { name, value, before } of changes) if (env[name] === value) set(name, before);
  };
}

function set(name: string, value: string | undefined): void {
  if (value === undefined) delete process.env[name];
  else process.env[name] = value;
}

const parts = { joinNewProcesses };
module.exports = parts;
export type Parts = typeof parts;
