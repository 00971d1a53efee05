// Writes man/kcovfs.1, from what has been built. `npm pack` does so.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { manPage } from "../dist/src/cli/man_page.js";
import { COMMANDS, COMPLETION } from "../dist/src/cli/mod.js";

const root = new URL("../", import.meta.url);
const { version, description } = JSON.parse(readFileSync(new URL("package.json", root), "utf8"));
const completion = { command: COMPLETION[0], describe: COMPLETION[1], builder: (argv) => argv };
mkdirSync(new URL("man", root), { recursive: true });
writeFileSync(
  new URL("man/kcovfs.1", root),
  manPage([...COMMANDS, completion], { version, summary: description }),
);
