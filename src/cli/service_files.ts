import { readFile } from "node:fs/promises";
import * as path from "node:path";
import { fileURLToPath } from "node:url";
import { isDeno } from "../base/runtime.ts";

const BIN = fileURLToPath(new URL("../../../bin/kcovfs", import.meta.url));
const TEMPLATES = fileURLToPath(new URL("../../../systemd", import.meta.url));

/** The service's name for systemctl(1). */
export const UNIT = "kcovfs.service";

/** A file of a systemd service. */
export interface ServiceFile {
  readonly path: string;
  readonly content: string;
  /** Whether the file is the user's once it exists. */
  readonly isSettings: boolean;
}

/**
 * The files of a service that runs this kcovfs with this Node or Deno.
 *
 * @param root Where the machine's `/` is.
 */
export async function serviceFiles(root: string): Promise<ServiceFile[]> {
  const [unit, settings] = await Promise.all(
    [UNIT, "kcovfs.env"].map((name) => readFile(path.join(TEMPLATES, name), "utf8")),
  );
  return [
    {
      path: path.join(root, "etc/systemd/system", UNIT),
      content: withCommand(unit, [process.execPath, ...isDeno() ? ["run", "-A"] : [], BIN]),
      isSettings: false,
    },
    { path: path.join(root, "etc/default/kcovfs"), content: settings, isSettings: true },
  ];
}

/** The unit with a command in place of `/usr/bin/kcovfs`. */
export function withCommand(unit: string, command: readonly string[]): string {
  return unit.replace(
    /(?<=^ExecStart=)\/usr\/bin\/kcovfs(?= )/m,
    () => command.map(quote).join(" "),
  );
}

/** Quotes a word for systemd (`systemd.service(5)`, "Command lines"). */
function quote(word: string, index: number): string {
  const text = word.replaceAll("%", "%%").replaceAll("$", index === 0 ? "$" : "$$$$");
  return /[^\w@%+=:,./$-]/.test(text) ? `"${text.replace(/["\\]/g, "\\$&")}"` : text;
}
