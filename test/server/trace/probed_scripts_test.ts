import * as fs from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { StateError } from "../../../src/blocks/state_error.ts";
import { CoveredBlocks } from "../../../src/symbols/covered_blocks.ts";
import type { Connection } from "../../../src/fuse/mod.ts";
import { SharedFolder } from "../../../src/base/shared_folder.ts";
import { Registry } from "../../../src/targets/registry.ts";
import type { Target } from "../../../src/targets/target.ts";
import { Tracing, type TracingOptions } from "../../../src/server/trace/probed_scripts.ts";
import type { Watchdog } from "../../../src/watchdog/mod.ts";
import { PipelineWorld } from "../../scripts/pipeline_world.ts";
import { FakeLink } from "../../targets/fake_link.ts";
import { TracedLink } from "../traced_world.ts";

const tracing = suite("tracing");

const INFO = { name: "api", pid: 7, runtime: "node", collector: "trace" } as const;

interface Scene {
  readonly subject: Tracing;
  readonly folder: SharedFolder;
  readonly target: Target;
  readonly link: TracedLink;
  readonly registry: Registry;
  readonly warnings: string[];
  /** The watchdog's orders. */
  readonly watched: string[];
}

async function withTracing(
  run: (scene: Scene) => unknown,
  options: Partial<TracingOptions> = {},
): Promise<void> {
  await using world = new PipelineWorld();
  const folder = await SharedFolder.make();
  const watched: string[] = [];
  const watchdog: Pick<Watchdog, "remove" | "keep"> = {
    remove: (path) => void watched.push(`remove ${path}`),
    keep: (path) => void watched.push(`keep ${path}`),
  };
  const registry = new Registry({ collectTimeout: 5000, hold: "auto" });
  const { pipeline, symbols, warnings } = world;
  await using subject = new Tracing(folder, {
    covered: new CoveredBlocks(),
    ...{ registry, pipeline, symbols, watchdog: watchdog as Watchdog, isPassthrough: true },
    filterFor: () => (url) => !url.includes("excluded"),
    files: { mode: 0o640, uid: 1000, gid: 1001 },
    reporter: { warn: (line) => warnings.push(line) },
    ...options,
  });
  const link = new TracedLink();
  const target = registry.add(link, INFO);
  await run({ subject, folder, target, link, registry, warnings, watched });
}

function scenario(sentence: string, run: (scene: Scene) => unknown): void {
  tracing(sentence, () => withTracing(run));
}

scenario("a target's scripts get probes, and are counted", async ({ subject, target }) => {
  const first = await subject.probe(target, { url: "file:///a.js", source: "f = () => 1;" });
  const second = await subject.probe(target, { url: "file:///b.js", source: "1;" });
  assert.ok([first, second].every(({ code }) => code!.includes("__kcov(")));
  assert.equal(subject.countsOf(target), { measured: 2, blocks: 3, unparsed: 0, unkept: 0 });
  assert.equal(await subject.unprobed(target), []);
});

scenario("targets' scripts are counted apart", ({ subject, registry }) => {
  const other = registry.add(new TracedLink(), INFO);
  assert.equal(subject.countsOf(other), { measured: 0, blocks: 0, unparsed: 0, unkept: 0 });
});

scenario("why scripts have no probes is told", async ({ subject, target, link, warnings }) => {
  const source = (url: string, text = "1;") => subject.probe(target, { url, source: text });
  assert.equal(await source("file:///excluded.js"), {});
  assert.equal(await source("file:///bad.js", "function ("), {});
  await source("file:///good.js");
  link.urls = [
    ...["file:///good.js", "file:///excluded.js", "evalmachine.js", "file:///excluded-too.js"],
    "file:///app/node_modules/koffi/index.cjs",
  ];
  const unprobed = await subject.unprobed(target);
  const bad = unprobed.find(({ url }) => url === "file:///bad.js")!;
  assert.equal(unprobed, [
    { url: "file:///excluded.js", reason: "the globs leave it out" },
    bad,
    { url: "evalmachine.js", reason: "it was compiled in a way that kcovfs does not see" },
  ]);
  assert.equal(warnings, [`Cannot measure file:///bad.js: ${bad.reason}`]);
  assert.equal(subject.countsOf(target), {
    ...{ measured: 1, blocks: 1, unparsed: 1, unkept: 0, excluded: 1 },
  });
});

tracing(
  "a script that could have no PCs when it was loaded is told of with the reason",
  async () => {
    const reason = "the server has too many open files";
    const probe = () => Promise.reject(new StateError(reason));
    await withTracing(async ({ subject, target, warnings }) => {
      for (let i = 0; i < 30; i++) {
        assert.equal(await subject.probe(target, { url: `file:///${i}.js`, source: "1;" }), {});
      }
      const counts = { measured: 0, blocks: 0, unparsed: 0, unkept: 30, unkeptReason: reason };
      assert.equal(subject.countsOf(target), counts);
      assert.equal((await subject.unprobed(target))[0], { url: "file:///0.js", reason });
      assert.equal([warnings.length, warnings[0]], [10, `Cannot measure file:///0.js: ${reason}`]);
    }, { pipeline: { probe } });
  },
);

scenario("a script is known by the name that it gives itself", async ({ subject, target }) => {
  const source = "1;\n//# sourceURL=excluded.js\n";
  assert.equal(await subject.probe(target, { url: "file:///a.js", source }), {});
  assert.equal((await subject.unprobed(target)).map(({ url }) => url), ["excluded.js"]);
});

scenario("a script that has probes is left as it is", async ({ subject, target }) => {
  const { code } = await subject.probe(target, { url: "file:///a.js", source: "1;" });
  assert.equal(await subject.probe(target, { url: "file:///b.js", source: code! }), {});
  assert.equal(await subject.unprobed(target), [], "and is measured");
  const text = "// what calls __kcov(pc)\n1;";
  assert.ok((await subject.probe(target, { url: "file:///c.js", source: text })).code);
});

scenario(
  "targets that cannot list their scripts have none besides",
  async ({ subject, registry }) => {
    const mute = registry.add(new FakeLink(), INFO);
    assert.equal(await subject.unprobed(mute), []);
    const link = new TracedLink();
    link.listScripts = () => Promise.reject(new Error("gone"));
    assert.equal(await subject.unprobed(registry.add(link, INFO)), []);
  },
);

/** A connection whose kernel accepts backing files, or refuses them. */
function connection(refusal?: string) {
  const calls: string[] = [];
  const backings = {
    open(fd: number): number {
      calls.push(fs.readlinkSync(`/proc/self/fd/${fd}`));
      if (refusal) throw new Error(refusal);
      return 5;
    },
    close: (id: number) => void calls.push(`close ${id}`),
  };
  return { calls, connection: { backings } as unknown as Connection };
}

scenario(
  "where the kernel takes files, areas are files that their owner may open",
  (scene) => {
    const { subject, folder } = scene;
    const { calls, connection: kernel } = connection();
    const makeFile = subject.filesFor(kernel)!;
    assert.equal(calls, [`${folder.path}/area-0`, "close 5"], "it was tried");
    {
      using file = makeFile();
      for (const path of [file.path, file.turns!]) {
        const { mode, uid, gid } = fs.statSync(path);
        assert.equal([mode & 0o777, uid, gid], [0o640, 1000, 1001]);
      }
      assert.equal(fs.readdirSync(folder.path), ["area-1", "turns-1"]);
    }
    assert.equal(fs.readdirSync(folder.path), []);
  },
);

scenario("where it refuses them that is warned of, and areas are no files", (scene) => {
  const { subject, folder, warnings } = scene;
  assert.is(subject.filesFor(connection("EPERM").connection), undefined);
  assert.equal(fs.readdirSync(folder.path), []);
  assert.equal(warnings, [
    "Cannot use passthrough, so targets are held while clients read: EPERM",
  ]);
});

scenario("a kernel without passthrough is asked nothing", ({ subject, warnings }) => {
  assert.is(subject.filesFor({ backings: undefined } as unknown as Connection), undefined);
  assert.equal(warnings, []);
});

tracing("without passthrough the kernel is not asked", async () => {
  await withTracing(({ subject }) => {
    const { calls, connection: kernel } = connection();
    assert.equal([subject.filesFor(kernel), calls], [undefined, []]);
  }, { isPassthrough: false });
});

tracing("its folder goes with it, or with the server's death", async () => {
  let seen: Scene | undefined;
  await withTracing((scene) => {
    seen = scene;
    assert.equal(scene.watched, [`remove ${scene.folder.path}`]);
    assert.ok(fs.existsSync(scene.folder.path));
  });
  const { folder, watched } = seen!;
  assert.equal([watched.at(-1), fs.existsSync(folder.path)], [`keep ${folder.path}`, false]);
});

tracing.run();
