import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import * as path from "node:path";
import type { Argv } from "yargs";
import type { Command, Io } from "../command.ts";
import { type ServiceFile, serviceFiles, UNIT } from "../service_files.ts";
import { UserError } from "../../base/user_error.ts";

/** Exists exactly where systemd runs (`sd_booted(3)`). */
const BOOTED = "/run/systemd/system";

interface Arguments {
  readonly "dry-run": boolean;
  readonly undo: boolean;
  readonly root: string;
}

/** `kcovfs install-service` */
export const installService: Command = {
  command: "install-service",
  describe: "have systemd keep a server running",
  builder: (argv: Argv) =>
    argv
      .option("dry-run", {
        type: "boolean",
        default: false,
        describe: "only print what would be written and called",
      })
      .option("undo", {
        type: "boolean",
        default: false,
        describe: "stop the service and remove its files, but for settings that were changed",
      })
      .option("root", {
        type: "string",
        requiresArg: true,
        default: "/",
        describe: "write into the filesystem of another machine, mounted there",
      })
      .example("kcovfs install-service", "then: systemctl enable --now kcovfs")
      .example("kcovfs install-service --dry-run", "")
      .example("kcovfs install-service --undo", ""),
  async run(argv, io) {
    const options = argv as unknown as Arguments;
    const files = await serviceFiles(options.root);
    const calls = options.root === "/" && existsSync(BOOTED);
    const steps = { io, isDry: options["dry-run"], calls };
    try {
      if (options.undo) await undo(files, steps);
      else await install(files, steps);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code !== "EACCES" && code !== "EPERM") throw error;
      throw new UserError(
        `Cannot ${options.undo ? "remove" : "install"} ${UNIT}: ${message}; run with sudo`,
      );
    }
    return 0;
  },
};

interface Steps {
  readonly io: Io;
  readonly isDry: boolean;
  /** Whether to call systemctl. */
  readonly calls: boolean;
}

async function install(files: readonly ServiceFile[], steps: Steps): Promise<void> {
  for (const file of files) {
    if (file.isSettings && existsSync(file.path)) say(steps, `keeps ${file.path}`);
    else await write(file, steps);
  }
  call(["daemon-reload"], steps);
  say(steps, `start it with: systemctl enable --now ${UNIT}`);
}

async function undo(files: readonly ServiceFile[], steps: Steps): Promise<void> {
  const present = files.filter(({ path }) => existsSync(path));
  if (present.some(({ isSettings }) => !isSettings)) call(["disable", "--now", UNIT], steps);
  for (const { path, content, isSettings } of present) {
    if (isSettings && await readFile(path, "utf8") !== content) say(steps, `keeps ${path}`);
    else {
      say(steps, `removes ${path}`);
      if (!steps.isDry) await rm(path);
    }
  }
  call(["daemon-reload"], steps);
}

async function write({ path: file, content }: ServiceFile, steps: Steps): Promise<void> {
  say(steps, `writes ${file}`);
  if (steps.isDry) return steps.io.print(content.replace(/^(?=.)/gm, "  "));
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, content);
}

function call(args: readonly string[], steps: Steps): void {
  if (!steps.calls) return;
  say(steps, `calls systemctl ${args.join(" ")}`);
  if (steps.isDry) return;
  const { status, stderr } = spawnSync("systemctl", args, { encoding: "utf8" });
  if (status === 0) return;
  throw new UserError(
    `Cannot call systemctl ${args.join(" ")}: ${(stderr ?? "").trim().split("\n")[0]}`,
  );
}

function say({ io, isDry }: Steps, what: string): void {
  io.print(`kcovfs: ${isDry ? "(dry run) " : ""}${what}\n`);
}
