/** However a program is started, it runs as without kcovfs: the same output, the same exit status. */
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { CollectorName } from "../../src/messages/protocol.ts";
import { IS_LONG } from "../rounds.ts";
import { type Case, CASES } from "./start_cases.ts";
import { COLLECTORS, NODES, type Outcome, StartWorld } from "./start_world.ts";

const starts = suite("starts");

/** A case on a Node. */
interface Row extends Case {
  readonly major: number;
  readonly node: string;
}

const wanted = new RegExp(process.argv[2] ?? "");
const rows: Row[] = CASES.flatMap((each, i) =>
  chosen([...NODES].filter(([major]) => each.on?.(major) ?? true), i)
    .map(([major, node]) => ({ ...each, major, node }))
).filter(({ name, major }) => `Node ${major}: ${name}`.match(wanted));

/** Of the Nodes that a case is for: the oldest, and one of the others by turns; all in the long tests. */
function chosen<T>([oldest, ...others]: readonly T[], turn: number): T[] {
  if (IS_LONG || others.length === 0) return [oldest, ...others];
  return [oldest, others[turn % others.length]];
}

let world: StartWorld;
const folders = new Map<Row, string>();
const plain = new Map<Row, Outcome>();
const measured = new Map<Row, Map<CollectorName, Outcome>>();
const covered = new Map<CollectorName, ReadonlySet<string>>();

starts.before(async () => {
  world = await StartWorld.serving();
  await Promise.all(rows.map(runAll));
  for (const collector of COLLECTORS) covered.set(collector, await world.covered(collector));
});

starts.after(async () => {
  await world[Symbol.asyncDispose]();
});

async function runAll(row: Row): Promise<void> {
  const folder = world.folder(row.files);
  folders.set(row, folder);
  const own = new Map<CollectorName, Outcome>();
  measured.set(row, own);
  plain.set(row, await world.run(row.node, { ...row, folder }));
  for (const collector of COLLECTORS) {
    own.set(collector, await world.run(row.node, { ...row, folder, collector }));
  }
}

for (const row of rows) {
  for (const collector of COLLECTORS) {
    starts(`Node ${row.major}, ${collector}: ${row.name}`, () => {
      const { lines, ...outcome } = measured.get(row)!.get(collector)!;
      const { lines: _, ...expected } = plain.get(row)!;
      assert.equal(outcome, expected, lines.join(""));
      const wanted = row.expected({ collector, major: row.major });
      assert.is(lines.length, wanted.lines.length, lines.join(""));
      for (const [i, line] of wanted.lines.entries()) assert.match(lines[i], line);
      const files = Object.keys(row.files)
        .filter((file) => covered.get(collector)!.has(join(folders.get(row)!, file)));
      assert.equal(files.sort(), [...wanted.covered].sort());
    });
  }
}

starts.run();
