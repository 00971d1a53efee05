import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { pathToFileURL } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MapError, readMapText } from "../../src/blocks/map_reader.ts";

const reader = suite("blocks/map_reader");

let folder = "";
reader.before(() => {
  folder = fs.mkdtempSync(path.join(tmpdir(), "kcovfs maps-"));
  fs.mkdirSync(path.join(folder, "sub"));
  fs.writeFileSync(path.join(folder, "a.js.map"), "{}é");
  fs.writeFileSync(path.join(folder, "empty.map"), "");
  execFileSync("mkfifo", [path.join(folder, "pipe.map")]);
  fs.writeFileSync(path.join(folder, "huge.map"), "{");
  fs.truncateSync(path.join(folder, "huge.map"), 2 ** 30);
});
reader.after(() => fs.rmSync(folder, { recursive: true }));

const script = () => pathToFileURL(path.join(folder, "sub/a.js")).href;

reader("a map's file is found from the script's, which may be a URL or a path", () => {
  const base = pathToFileURL(path.join(folder, "a.js.map")).href;
  for (const url of [script(), path.join(folder, "sub/a.js")]) {
    assert.equal(readMapText("../a.js.map", url), { text: "{}é", base });
    assert.equal(readMapText(base, url), { text: "{}é", base });
  }
  assert.equal(readMapText(base, "evaluated.js"), { text: "{}é", base });
});

reader("data URLs are read, with and without base64", () => {
  const cases: [string, string][] = [
    ["data:application/json;base64,e30=", "{}"],
    ["data:application/json;charset=utf-8;base64,eyLDqSI6MX0", '{"é":1}'],
    ["data:;base64,e30%3D", "{}"],
    ["DATA:application/json,%7B%7D", "{}"],
    ["data:,{}", "{}"],
  ];
  for (const [url, text] of cases) assert.is(readMapText(url, "x.js").text, text, url);
  assert.is(readMapText("data:,{}", script()).base, script());
  assert.is(readMapText("data:,{}", "x.js").base, undefined);
});

const REFUSED: readonly [string, string, RegExp][] = [
  ["none.map", "", /^cannot open .*none\.map: ENOENT$/],
  ["../sub", "", /sub is no regular file$/],
  ["../pipe.map", "", /pipe\.map is no regular file$/],
  ["../empty.map", "", /empty\.map is empty$/],
  ["../huge.map", "", /huge\.map is larger than 128 MB$/],
  ["file:///proc/kmsg", "", /^\/proc\/kmsg is empty$/],
  ["file:///dev/zero", "", /^\/dev\/zero is no regular file$/],
  ["file://host/a.map", "", /^file:\/\/host\/a\.map is no file of this machine$/],
  ["file:///a%2fb.map", "", /^file:\/\/\/a%2fb\.map is no file of this machine$/],
  ["http://localhost/a.map", "", /^http:\/\/localhost\/a\.map is not fetched$/],
  ["a.map", "https://localhost/a.js", /^https:\/\/localhost\/a\.map is not fetched$/],
  ["a.map", "evaluated.js", /^a\.map is relative to a script that is in no file$/],
  ["a.map", "evaluate:d", /^a\.map is relative to a script that is in no file$/],
  ["data:application/json", "", /^its data URL has no comma$/],
  ["data:,%", "", /^its data URL is not encoded as one$/],
];

reader("what cannot be read, or would never end, is refused with the reason", () => {
  for (const [mapUrl, scriptUrl, reason] of REFUSED) {
    assert.throws(
      () => readMapText(mapUrl, scriptUrl || script()),
      (error: Error) => error instanceof MapError && reason.test(error.message),
      mapUrl,
    );
  }
});

reader.run();
