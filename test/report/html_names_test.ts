/** Names of scripts in reports: others have made them up. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type FormatName, renderReport } from "../../src/report/coverage_report.ts";
import { fileCoverage } from "../../src/report/file_coverage.ts";
import { ReportPaths } from "../../src/report/report_path.ts";

const names = suite("report, names");

const URLS = [
  "file:///srv/b%3Cimg%20src=x%20onerror=alert(1)%3E.mjs",
  "file:///srv/%3Cb%3Efolder/%22'%26/a.mjs",
  "file:///srv/javascript:alert(1)/x.mjs",
  "javascript:alert(1)//x",
  "file:///srv/line%0Aend_of_record%0D%09.mjs",
  "file:///srv/%1b]52;c;YQ==%07%1b]8;;http:x%1b\\%1b[31m.mjs",
  "file:///srv/\u009b31m\u202etxt.mjs",
  "file:///srv/nul%00.mjs",
  "file:///srv/hash%23query%3Fpercent%2541.mjs",
  `file:///srv/${"long".repeat(75)}.mjs`,
  `https://host/${"é".repeat(300)}`,
  "file:///srv/index",
  "../../../../etc/passwd",
  "webpack://app/a:b",
  "webpack://app/a_b",
  "__proto__",
  "constructor",
];
/** Tags of Istanbul's own in a page. */
const OWN_TAGS =
  /^(?:!doctype|html|head|title|meta|link|style|body|div|h1|a|span|p|em|template|input|table|thead|tbody|tr|th|td|pre|script)$/;
// deno-lint-ignore no-control-regex
const CONTROLS = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/;

async function render(
  format: FormatName,
  run: (folder: string) => void,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "kcovfs-names-"));
  try {
    const paths = new ReportPaths();
    const states = new Map([["1.1,1.9", true], ["1.3,1.4", false]]);
    const files = URLS.map((url) => ({
      data: fileCoverage(paths.of(url), { states, outline: undefined }),
      shown: "a \u0001img src=x onerror=alert(1)\u0002 <b>&\n",
    }));
    await renderReport(files, { format, folder: join(folder, "report") });
    run(join(folder, "report"));
    assert.equal(readdirSync(folder), ["report"]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function pagesOf(folder: string): Map<string, string> {
  const all = readdirSync(folder, { recursive: true, encoding: "utf8" });
  const pages = all.filter((name) =>
    name.endsWith(".html") && statSync(join(folder, name)).isFile()
  );
  return new Map(
    pages.map((name) => [name, readFileSync(join(folder, name), "utf8")]),
  );
}

names("pages have no tag, and no attribute, that a name has made", async () => {
  await render("html", (folder) => {
    for (const [name, text] of pagesOf(folder)) {
      for (
        const [tag, element] of text.matchAll(/<\/?(!doctype|[a-z]\w*)[^>]*>/gi)
      ) {
        assert.match(element, OWN_TAGS, `${name}: ${tag}`);
        assert.not.match(tag.replace(/"[^"]*"|'[^']*'/g, ""), /onerror/, name);
      }
      assert.not.match(text, CONTROLS, name);
    }
  });
});

names(
  "each link leads to a page that there is, and none out of the report",
  async () => {
    await render("html", (folder) => {
      const pages = pagesOf(folder);
      // A page for each file, and one for each folder.
      assert.ok(pages.size > URLS.length);
      const linked = new Set<string>();
      for (const [name, text] of pages) {
        for (
          const [, link] of text.matchAll(
            /<a href="(?!https:\/\/istanbul)([^"]*)"/g,
          )
        ) {
          const url = new URL(link.replaceAll("&#39;", "'"), pathUrl(name));
          assert.is(url.protocol, "http:", link);
          const to = decodeURIComponent(url.pathname.slice(1));
          assert.ok(pages.has(to), `${name}: ${link}`);
          linked.add(to);
        }
      }
      assert.is(
        linked.size,
        pages.size,
        [...pages.keys()].filter((page) => !linked.has(page)).join(),
      );
    });
  },
);

function pathUrl(name: string): string {
  return `http://report/${name.split("/").map(encodeURIComponent).join("/")}`;
}

names(
  "lcov and JSON have a record for each file, and no name breaks a line",
  async () => {
    await render("lcov", (folder) => {
      const text = readFileSync(join(folder, "lcov.info"), "utf8");
      assert.is(text.match(/^SF:/gm)?.length, URLS.length);
      assert.is(text.match(/^end_of_record$/gm)?.length, URLS.length);
      assert.not.match(text, CONTROLS);
    });
    await render("json", (folder) => {
      const text = readFileSync(join(folder, "coverage-final.json"), "utf8");
      assert.is(Object.keys(JSON.parse(text)).length, URLS.length);
      assert.not.match(text, CONTROLS);
    });
  },
);

names("no two scripts are one file, and none is outside", () => {
  const paths = new ReportPaths();
  const all = URLS.map((url) => paths.of(url));
  assert.is(new Set(all).size, URLS.length);
  for (const path of all) {
    assert.ok(
      !relative("/report", join("/report", path)).startsWith(".."),
      path,
    );
    assert.ok(
      path.split("/").every((name) => Buffer.byteLength(`${name}.html`) < 255),
      path,
    );
  }
});

names.run();
