/**
 * Pages of a real Chromium as targets. The client is a page's own web server: it gives it requests and
 * reads, after each reply, which blocks of the page's scripts it took.
 */
import type { ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { TargetRow } from "../../src/control_client.ts";
import { Chromium, until } from "./chromium.ts";
import { compile, finish, Scene, SERVICES } from "./harness.ts";
import { executedTexts, textsInPaths } from "./path_blocks.ts";

const chromium = suite("chromium");

const FIXTURES = join(SERVICES, "..");

chromium.before(() => {
  compile("exactness");
});

/** A server, and a browser that it is attached to. */
class World implements AsyncDisposable {
  readonly scene: Scene;
  readonly browser: Chromium;

  private constructor(scene: Scene, browser: Chromium) {
    this.scene = scene;
    this.browser = browser;
  }

  static async start(): Promise<World> {
    const [browser, scene] = await Promise.all([Chromium.start(), serve()]);
    const world = new World(scene, browser);
    try {
      await world.attach();
      return world;
    } catch (error) {
      await world[Symbol.asyncDispose]();
      throw error;
    }
  }

  async attach(): Promise<void> {
    const { status, stderr } = await this.scene.command("attach", this.browser.address);
    assert.is(status, 0, stderr);
  }

  async targets(): Promise<TargetRow[]> {
    const { stdout } = await this.scene.command("ps", "--json");
    const rows = JSON.parse(stdout) as TargetRow[];
    return rows.filter(({ state }) => state !== "ended");
  }

  /** Starts the client that serves a page, and opens it. */
  async client(
    page: string,
    options: { requests: number; isShared?: boolean; env?: NodeJS.ProcessEnv },
  ): Promise<{ child: ChildProcess; url: string }> {
    const command = [
      compile("exactness"),
      this.scene.kcov,
      `http:${FIXTURES}`,
      String(options.requests),
      ...options.isShared ? ["shared"] : [],
    ];
    const child = this.scene.start(command, options.env ? { env: options.env } : {});
    const port = await new Promise<string>((resolve) =>
      child.stdout!.once("data", (text) => resolve(String(text).match(/^port (\d+)/)![1]))
    );
    const url = `http://127.0.0.1:${port}/pages/${page}`;
    await this.browser.open(url);
    return { child, url };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.browser[Symbol.asyncDispose]();
    await this.scene[Symbol.asyncDispose]();
  }
}

async function serve(): Promise<Scene> {
  const scene = new Scene();
  await scene.serve();
  return scene;
}

/** All of a client's reads were exact. */
async function assertExact(child: ChildProcess, requests: number): Promise<void> {
  const { status, signal, stdout, stderr } = await finish(child, 120_000);
  assert.is(stderr, "");
  assert.match(stdout, `requests ${requests} wrong 0 `);
  process.stdout.write(stdout.replace(/^port.*\n/, ""));
  assert.is(status, 0, `${status} ${signal}`);
}

chromium("2,000 requests to a page are read without a mistake", async () => {
  await using world = await World.start();
  const learned = join(world.scene.folder, "learned");
  const { child } = await world.client("paths.html", {
    requests: 2000,
    env: { LEARNED: learned },
  });
  await assertExact(child, 2000);
  const paths = readFileSync(learned, "utf8").trim().split("\n");
  const lines = await world.scene.symbolize(paths.flatMap((pcs) => pcs.split(" ")));
  for (const [path, pcs] of paths.entries()) {
    const blocks = lines.splice(0, pcs.split(" ").length);
    assert.equal(textsInPaths(blocks), executedTexts(path), `path ${path}`);
    assert.is(blocks.length, executedTexts(path).length, `path ${path}`);
  }
});

chromium("a page has the same PCs after reloads and after it was at another site", async () => {
  await using world = await World.start();
  const { child, url } = await world.client("paths.html", {
    requests: 200,
    env: { NAVIGATE: "20" },
  });
  await assertExact(child, 200);
  const page = (await world.targets()).filter(({ name }) => name.endsWith("paths.html"));
  assert.is(page.length, 1, url);
});

chromium("a dedicated worker is a target that comes and goes", async () => {
  await using world = await World.start();
  const { child, url } = await world.client("worker.html", { requests: 200 });
  await assertExact(child, 200);
  const names = (await world.targets()).map(({ name }) => name);
  assert.ok(names.some((name) => name.endsWith("pages_worker.js")), names.join());
  const tab = (await world.browser.tabs()).find((tab) => tab.url === url)!;
  await world.browser.close(tab);
  await until("only the first page is left", async () => (await world.targets()).length === 1);
});

chromium("two pages at once each find all of their own path", async () => {
  await using world = await World.start();
  const options = { requests: 200, isShared: true };
  const clients = await Promise.all([
    world.client("paths.html", options),
    world.client("paths.html", options),
  ]);
  await Promise.all(clients.map(({ child }) => assertExact(child, 200)));
});

chromium.run();
