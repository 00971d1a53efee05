/** Clients that are watched while they keep their state. */
import { type ChildProcess } from "node:child_process";
import { mkdtempSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { compile, type Scene } from "./harness.ts";

/** A client's counts. */
export interface Watched {
  readonly pid: number;
  readonly child: ChildProcess;
  readonly executions: number;
  readonly pcs: number;
  readonly full: number;
  readonly count: number;
}

/** The output on stdout from now on, as far as it has come. */
export function heard(
  child: ChildProcess,
): { text: () => string; until: (part: string | RegExp) => Promise<void> } {
  let text = "";
  let check = (): void => {};
  child.stdout!.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
    check();
  });
  const until = (part: string | RegExp) =>
    new Promise<void>((resolve, reject) => {
      child.once(
        "close",
        () => reject(new Error(`It never said ${part}: ${text}`)),
      );
      check = () => (typeof part === "string" ? text.includes(part) : part.test(text)) && resolve();
      check();
    });
  return { text: () => text, until };
}

/**
 * Starts `clients/watched.c` and waits until it has done its loops.
 *
 * @param options `name`: the name of the program.
 */
export async function watched(
  { scene, socket }: { scene: Scene; socket: string },
  { words, loops, name = "watched" }: { words: number; loops: number; name?: string },
): Promise<Watched> {
  const program = join(mkdtempSync(join(scene.folder, "client-")), name);
  symlinkSync(compile("watched"), program);
  const child = scene.start([program, scene.kcov, socket, `${words}`, `${loops}`], {
    stdin: "pipe",
  });
  const { text, until } = heard(child);
  await until("\n");
  const [executions, pcs, full, count] = text().match(/\d+/g)!.map(Number);
  return { pid: child.pid!, child, executions, pcs, full, count };
}
