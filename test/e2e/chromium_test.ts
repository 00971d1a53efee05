/**
 * Pages of a real Chromium as targets. The client is a page's own web server: it gives the page requests.
 * After each reply it reads which blocks of the page's scripts the request executed.
 */
import type { ChildProcess } from "node:child_process";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { TargetRow } from "../../src/messages/requests.ts";
import { until } from "../until.ts";
import { rounds } from "../rounds.ts";
import { Chromium, type Tab } from "./chromium.ts";
import { assertLearned } from "./exact_loop.ts";
import { compile, finish, Scene, SERVICES } from "./harness.ts";

const chromium = suite<{ world: World }>("chromium");

const FIXTURES = join(SERVICES, "..");
const REQUESTS = rounds(300, { long: 2000 });
const PROBED = rounds(200, { long: 400 });
const BESIDE = rounds(60, { long: 300 });

chromium.before(async (context) => {
  compile("exactness");
  compile("poller");
  context.world = await World.start();
});

// Pages that a failed test has left, or that are slow to go, must not reach the next test.
chromium.before.each(async (context) => {
  if (await context.world.clear()) return;
  await context.world[Symbol.asyncDispose]();
  context.world = await World.start();
});

chromium.after(async ({ world }) => {
  await world[Symbol.asyncDispose]();
});

/** A server, and a browser that it is attached to. */
class World implements AsyncDisposable {
  readonly scene: Scene;
  readonly server: ChildProcess;
  readonly browser: Chromium;

  private constructor(scene: Scene, options: { server: ChildProcess; browser: Chromium }) {
    this.scene = scene;
    this.server = options.server;
    this.browser = options.browser;
  }

  static async start(): Promise<World> {
    const scene = new Scene();
    const [browser, server] = await Promise.all([Chromium.start(), scene.serve()]);
    const world = new World(scene, { server, browser });
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
    return (await this.scene.targets()).filter(({ state }) => state !== "ended");
  }

  /** Has a client read all the time. */
  poll(seconds: number): ChildProcess {
    return this.scene.start([compile("poller"), this.scene.kcov, String(seconds)]);
  }

  /** Starts the client that serves a page, and opens it. */
  async client(
    page: string,
    options: { requests: number; isBeside?: boolean; folder?: string; env?: NodeJS.ProcessEnv },
  ): Promise<{ child: ChildProcess; url: string }> {
    const command = [
      compile("exactness"),
      this.scene.kcov,
      `http:${options.folder ?? FIXTURES}`,
      String(options.requests),
      ...options.isBeside ? ["beside"] : [],
    ];
    const child = this.scene.start(command, options.env ? { env: options.env } : {});
    const port = await new Promise<string>((resolve) =>
      child.stdout!.once("data", (text) => resolve(String(text).match(/^port (\d+)/)![1]))
    );
    const url = `http://127.0.0.1:${port}/pages/${page}`;
    await this.browser.open(url);
    return { child, url };
  }

  /** Closes all tabs but the first; returns whether no other target is left then. */
  async clear(): Promise<boolean> {
    const pages = (await this.browser.tabs()).filter(({ type }) => type === "page");
    for (const tab of pages) if (tab.url !== "about:blank") await this.browser.close(tab);
    for (let look = 0; look < 50; look++) {
      if ((await this.targets()).length === 1) return true;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    return false;
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
  const { status, signal, stdout, stderr } = await finish(child, 300_000);
  assert.is(stderr, "");
  assert.match(stdout, `requests ${requests} wrong 0 `);
  process.stdout.write(stdout.replace(/^port.*\n/, ""));
  assert.is(status, 0, `${status} ${signal}`);
}

chromium(`${REQUESTS} requests to a page are read without a mistake`, async ({ world }) => {
  const learned = join(world.scene.folder, "learned");
  const { child } = await world.client("paths.html", {
    requests: REQUESTS,
    env: { LEARNED: learned },
  });
  await assertExact(child, REQUESTS);
  assertLearned(world.scene, learned);
});

chromium(
  "a page has the same PCs after reloads and after it was at another site",
  async ({ world }) => {
    const { child, url } = await world.client("paths.html", {
      requests: 200,
      env: { NAVIGATE: "20" },
    });
    await assertExact(child, 200);
    const page = (await world.targets()).filter(({ name }) => name.endsWith("paths.html"));
    assert.is(page.length, 1, url);
  },
);

chromium(
  "a page whose scripts were given probes is read by them, through reloads",
  async ({ world }) => {
    const folder = join(world.scene.folder, "probed");
    const { status, stderr } = await world.scene.command("instrument", FIXTURES, "-o", folder);
    assert.is(status, 0, stderr);
    const learned = join(world.scene.folder, "learned");
    const { child } = await world.client("paths.html", {
      requests: PROBED,
      folder,
      env: { REPEATED: "1", NAVIGATE: "100", LEARNED: learned },
    });
    await assertExact(child, PROBED);
    assertLearned(world.scene, learned);
  },
);

chromium("a dedicated worker is a target that comes and goes", async ({ world }) => {
  const { child, url } = await world.client("worker.html", { requests: 200 });
  await assertExact(child, 200);
  const names = (await world.targets()).map(({ name }) => name);
  assert.ok(names.some((name) => name.endsWith("pages_worker.js")), names.join());
  const tab = (await world.browser.tabs()).find((tab) => tab.url === url)!;
  await world.browser.close(tab);
  await until(async () => (await world.targets()).length === 1, "only the first page is left");
});

chromium("two pages at once each find all of their own path", async ({ world }) => {
  const options = { requests: BESIDE, isBeside: true };
  const clients = await Promise.all([
    world.client("paths.html", options),
    world.client("paths.html", options),
  ]);
  await Promise.all(clients.map(({ child }) => assertExact(child, BESIDE)));
});

chromium(
  "tabs that are opened, reloaded and closed take nothing from a page of their site",
  async ({ world }) => {
    await using fixtures = await serveFixtures();
    const { child } = await world.client("paths.html", { requests: BESIDE, isBeside: true });
    let isOver = false;
    const reading = assertExact(child, BESIDE).finally(() => isOver = true);
    const opening = async () => {
      while (!isOver) {
        const tab = await world.browser.open(fixtures.url("still.html"));
        const loaded = `document.readyState === "complete" && location.href !== "about:blank" &&
        performance.timeOrigin`;
        // It is refused while another document loads.
        const time = async () =>
          await world.browser.evaluate(tab, loaded).catch(() => false) as number | false;
        await until(async () => await time() !== false, "it has loaded");
        const first = await time();
        await world.browser.reload(tab);
        await until(async () => ![first, false].includes(await time()), "it has loaded again");
        await world.browser.close(tab);
      }
    };
    await Promise.all([reading, opening()]);
  },
);

/** Serves the fixtures until it is disposed of. */
async function serveFixtures(): Promise<AsyncDisposable & { url: (page: string) => string }> {
  const server = createServer(async ({ url = "" }, response) => {
    const name = url.replace(/\?.*/, "");
    const type = name.endsWith(".html") ? "text/html" : "text/javascript";
    try {
      const body = await readFile(join(FIXTURES, name));
      response.setHeader("content-type", type).end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: (page) => `http://127.0.0.1:${port}/pages/${page}`,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

/** Whether a page's own code goes on. */
async function ticks(world: World, tab: Tab): Promise<boolean> {
  const before = await world.browser.evaluate(tab, "ticks");
  await until(async () => await world.browser.evaluate(tab, "ticks") !== before, "it ticks");
  return true;
}

chromium(
  "frames, popups and workers of each kind are measured, each by itself",
  async ({ world }) => {
    await using fixtures = await serveFixtures();
    // Reads all the time, so that every event must find its place between collections.
    const poller = world.poll(60);
    const tab = await world.browser.open(fixtures.url("family.html"));
    const measured = async () =>
      (await world.targets()).filter(({ scripts }) => scripts > 0)
        .map(({ name }) => name.replace(/^.*_pages_/, "").replace(/-\d$/, "")).sort();
    const family = [
      ...["family.html", "family.html", "family.html"],
      ...["ticking.js", "ticking.js", "ticking.js"],
    ];
    const isFamily = async (expected: string[]) => `${await measured()}` === `${expected.sort()}`;
    await until(() => isFamily(family), "a page, two frames elsewhere, three workers");
    // By a timer: a page that is held while it is asked opens nothing.
    await world.browser.evaluate(tab, `void setTimeout(window.open, 0, "family.html")`);
    await until(() => isFamily([...family, "family.html"]), "a popup");
    assert.ok(await ticks(world, tab));
    poller.kill();
  },
);

chromium("a page that was let go is as it was, and can be attached to again", async ({ world }) => {
  await using fixtures = await serveFixtures();
  const tab = await world.browser.open(fixtures.url("family.html"));
  const page = async () => (await world.targets()).find(({ name }) => name.endsWith("family.html"));
  await until(async () => await page() !== undefined, "the page is a target");
  // Its frames and workers may still be coming.
  await until(async () => {
    for (const { name } of await world.targets()) await world.scene.command("detach", name);
    return (await world.targets()).length === 0;
  }, "all are let go");
  assert.ok(await ticks(world, tab));
  assert.match(await world.browser.coverageError(tab), "not been started");
  await world.attach();
  assert.ok(await page());
});

chromium("a page goes on when the server is killed while it holds it", async () => {
  await using world = await World.start();
  await using fixtures = await serveFixtures();
  const tab = await world.browser.open(fixtures.url("family.html"));
  const poller = world.poll(60);
  await until(
    async () =>
      (await world.targets()).some(({ state, scripts }) => state === "held" && scripts > 0),
    "it is held",
  );
  world.server.kill("SIGKILL");
  poller.kill("SIGKILL");
  assert.ok(await ticks(world, tab));
});

chromium(
  "a page that crashed holds nobody up, and is measured again when it is back",
  async ({ world }) => {
    await using fixtures = await serveFixtures();
    const tab = await world.browser.open(fixtures.url("worker.html"));
    const page = async () =>
      (await world.targets()).find(({ name }) => name.endsWith("worker.html"));
    await until(async () => await page() !== undefined, "the page is a target");
    const scripts = async () => {
      const { stdout } = await finish(world.poll(0.2));
      // Nobody has waited until the limit for an answer, which is 5 s.
      assert.ok(Number(stdout.match(/longest_ms (\d+)/)![1]) < 3000, stdout);
      return (await page())!.scripts;
    };
    // Its first document may have begun before its coverage.
    await until(async () => {
      await world.browser.reload(tab).catch(() => {});
      return await scripts() > 0;
    }, "it has a script");
    await world.browser.crash(tab);
    const before = await scripts();
    await world.browser.reload(tab);
    await until(async () => await scripts() > before, "its script is a new one");
  },
);

chromium("what a browser's flags do to the counts is said", async () => {
  await using browser = await Chromium.start([]);
  await using scene = await serve();
  await scene.command("attach", browser.address);
  const { stdout } = await scene.command("ps");
  assert.match(
    stdout,
    "start it with --js-flags=--no-opt,--no-maglev,--no-enable-lazy-source-positions",
  );
});

chromium.run();
