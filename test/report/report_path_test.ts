import { suite } from "uvu";
import * as assert from "uvu/assert";
import { reportPath } from "../../src/report/report_path.ts";

const path = suite("report/report_path");

const PATHS: readonly (readonly [url: string, path: string])[] = [
  ["file:///srv/my%20app/a.js", "/srv/my app/a.js"],
  ["/srv/../a.ts", "/a.ts"],
  ["https://example.org/app/b.js?v=1#x", "https/example.org/app/b.js_v=1_x"],
  ["webpack://app/./src/../../c.ts", "webpack/app/src/__/__/c.ts"],
  ["in memory", "in memory"],
  ["..", "__"],
  ["webpack:///", "webpack"],
];
for (const [url, expected] of PATHS) {
  path(`${url} stands at ${expected}`, () => assert.is(reportPath(url), expected));
}

path("a name that no file can have is cut, and told from others", () => {
  const [one, other] = ["a", "b"].map((end) => reportPath(`data:text/${"x".repeat(500)}${end}`));
  assert.is.not(one, other);
  assert.ok(one.split("/").every((name) => Buffer.byteLength(name) < 240));
});

path.run();
