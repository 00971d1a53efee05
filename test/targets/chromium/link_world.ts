/** Links to pages in memory. */
import { CdpSession } from "../../../src/targets/cdp/session.ts";
import { ChromiumLink } from "../../../src/targets/chromium/chromium_link.ts";
import { Isolates } from "../../../src/targets/chromium/isolates.ts";
import { FakePage, FakeV8 } from "./fake_page.ts";

/** The options of a stop for a client that reads. */
export const HOLD = { run: 0, hold: true };
/** The commands of a collection. */
export const COLLECT = ["Runtime.getIsolateId", "Profiler.takePreciseCoverage"];

/** Pages of one isolate of a browser, and their links. */
export class LinkWorld {
  readonly isolates = new Isolates();
  readonly v8 = new FakeV8("v8");
  /** The callbacks of links. */
  readonly events: string[] = [];
  /** Delays the start of a document. */
  arrival: Promise<void> = Promise.resolve();

  /** A page that is found in its isolate and shows a document with some scripts. */
  async open(...scripts: string[]): Promise<{ page: FakePage; link: ChromiumLink }> {
    const page = new FakePage(this.v8);
    const link = new ChromiumLink({
      session: new CdpSession(page),
      targetId: "main",
      isolates: this.isolates,
      onArrival: (url) => {
        this.events.push(`arrived at ${url}`);
        return this.arrival;
      },
      detach: () => {
        page.close("detached");
        return Promise.resolve();
      },
    });
    await link.find();
    navigate(page, "http://a/");
    page.parse(...scripts);
    page.take();
    return { page, link };
  }
}

/** A document begins in a page, or in one of its frames. */
export function navigate(page: FakePage, url: string, id = "main"): void {
  page.say("Page.frameNavigated", { frame: { id, url } });
}

/** The scripts of a collection, without their isolate. */
export const scripts = (coverage: Uint8Array): string[] =>
  qualified(coverage).map((scriptId) => scriptId.replace(/^\d+\./, ""));
/** The scripts of a collection. */
export const qualified = (coverage: Uint8Array): string[] =>
  JSON.parse(Buffer.from(coverage).toString()).map(({ scriptId }: { scriptId: string }) =>
    scriptId
  );
