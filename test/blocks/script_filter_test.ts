import { suite } from "uvu";
import * as assert from "uvu/assert";
import { scriptFilter, scriptPath } from "../../src/blocks/script_filter.ts";

const filter = suite("blocks/script_filter");

filter("without globs all scripts of the target are measured, node_modules among them", () => {
  const isMeasured = scriptFilter({});
  const urls = [
    "file:///srv/app.js",
    "file:///srv/node_modules/express/index.js",
    "/srv/app.cjs",
    "app.js",
    "https://example.org/app.js",
    "webpack:///./src/a.ts",
    "[eval]",
    "[eval1]",
    "data:text/javascript,1",
    "file:///srv/node:fs.js",
    "file:///srv/[eval]-wrapper/a.js",
  ];
  for (const url of urls) assert.ok(isMeasured(url), url);
});

filter("the runtime's own scripts and those without a URL never are", () => {
  const everything = scriptFilter({ include: ["**", "*"] });
  const urls = [
    "",
    "node:internal/modules/cjs/loader",
    "node:fs",
    "deno:core",
    "ext:core/00_primordials.js",
    "internal:x",
    "chrome://resources/a.js",
    "chrome-extension://abc/a.js",
    "devtools://devtools/a.js",
    "evalmachine.<anonymous>",
    "[eval]-wrapper",
  ];
  for (const url of urls) assert.not(everything(url), url);
});

filter("with globs to include, only what matches one of them is measured", () => {
  const isMeasured = scriptFilter({ include: ["**/src/**", "/srv/main.js"] });
  assert.ok(isMeasured("file:///srv/src/a.js"));
  assert.ok(isMeasured("file:///srv/src/deep/b.js"));
  assert.ok(isMeasured("file:///srv/main.js"), "by its path");
  assert.not(isMeasured("file:///srv/other.js"));
  assert.not(isMeasured("file:///srv/node_modules/x/index.js"));
});

filter("globs are held against the URL and against a file's path", () => {
  assert.ok(scriptFilter({ include: ["/srv/my app/*"] })("file:///srv/my%20app/a.js"));
  assert.ok(scriptFilter({ include: ["https://example.org/**"] })("https://example.org/x/a.js"));
  assert.ok(scriptFilter({ include: ["file:///srv/*.js"] })("file:///srv/a.js"));
  assert.not(scriptFilter({ include: ["/srv/*"] })("file:///srv/deep/a.js"), "* is one folder");
});

filter("folders and files whose names begin with a dot are matched like others", () => {
  assert.ok(scriptFilter({ include: ["/srv/**"] })("file:///srv/.cache/a.js"));
  assert.not(scriptFilter({ exclude: ["/srv/**"] })("file:///srv/.cache/a.js"));
});

filter("what is excluded is not measured, even if it is included", () => {
  const isMeasured = scriptFilter({
    include: ["**/src/**"],
    exclude: ["**/*.test.js", "**/gen/**"],
  });
  assert.ok(isMeasured("file:///srv/src/a.js"));
  assert.not(isMeasured("file:///srv/src/a.test.js"));
  assert.not(isMeasured("file:///srv/src/gen/a.js"));
  assert.not(scriptFilter({ exclude: ["**/node_modules/**"] })("file:///srv/node_modules/x/a.js"));
});

filter("our own scripts are not measured, but others beside them are", () => {
  const isMeasured = scriptFilter({ own: ["/usr/lib/kcovfs/src/"], include: ["**"] });
  assert.not(isMeasured("file:///usr/lib/kcovfs/src/agent/preload.cjs"));
  assert.not(isMeasured("/usr/lib/kcovfs/src/server.js"));
  assert.ok(isMeasured("file:///usr/lib/kcovfs/examples/echo.js"));
  assert.ok(isMeasured("file:///usr/lib/kcovfs/srcs.js"));
});

filter("a file's path is that of its URL; what is no file's URL stays as it is", () => {
  assert.is(scriptPath("file:///srv/my%20app/%C3%A9.js"), "/srv/my app/é.js");
  const others = ["/srv/a.js", "https://example.org/a%20b.js", "[eval]", "file://host/a.js", ""];
  // An encoded slash cannot be part of a path.
  for (const url of [...others, "file:///a%2fb.js"]) {
    assert.is(scriptPath(url), url);
  }
});

filter.run();
