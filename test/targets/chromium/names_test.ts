import { suite } from "uvu";
import * as assert from "uvu/assert";
import { isInternal, targetName } from "../../../src/targets/chromium/names.ts";

const names = suite("names");

names("a target is called by its host and path", () => {
  const nameOf = (url: string) => targetName({ type: "page", title: "A title", url });
  assert.is(nameOf("http://localhost:8080/a/b.html?c#d"), "localhost:8080/a/b.html");
  assert.is(nameOf("https://example.org/"), "example.org");
  assert.is(nameOf("file:///srv/a%20page.html"), "srv/a page.html");
  assert.is(nameOf("http://host/%"), "host/%");
});

names("one without an address is called by its title, or by what it is", () => {
  assert.is(targetName({ type: "page", title: "about:blank", url: "about:blank" }), "page");
  assert.is(targetName({ type: "page", title: "Mine", url: "data:text/html,<p>" }), "Mine");
  assert.is(targetName({ type: "iframe", title: "", url: "" }), "iframe");
});

names("the browser's own pages and its extensions' are told", () => {
  for (const url of ["chrome://newtab/", "devtools://devtools/a", "chrome-extension://id/a.js"]) {
    assert.ok(isInternal(url), url);
  }
  for (const url of ["", "about:blank", "http://chrome/", "file:///chrome:"]) {
    assert.not.ok(isInternal(url), url);
  }
});

names.run();
