import { suite } from "uvu";
import * as assert from "uvu/assert";
import { parseAddress } from "../../../src/targets/attach/address.ts";

const address = suite("targets/address");

address("a number is a process", () => {
  assert.equal(parseAddress("4711"), { kind: "process", pid: 4711 });
  assert.equal(parseAddress("4194304"), { kind: "process", pid: 4194304 });
});

address("a host and a port are an endpoint, also where the host is an IPv6 address", () => {
  const endpoints: [string, string, number][] = [
    ["127.0.0.1:9229", "127.0.0.1", 9229],
    ["localhost:1", "localhost", 1],
    ["[::1]:65535", "::1", 65535],
    ["ci-4.example.org:9222", "ci-4.example.org", 9222],
  ];
  for (const [text, host, port] of endpoints) {
    assert.equal(parseAddress(text), { kind: "endpoint", host, port });
  }
});

address("a URL is a WebSocket", () => {
  const urls: [string, string, number, string][] = [
    ["ws://127.0.0.1:9229/5e5d-00", "127.0.0.1", 9229, "/5e5d-00"],
    ["ws://[::1]:9229/ws/1?x=2", "::1", 9229, "/ws/1?x=2"],
    ["WS://host/devtools/page/1", "host", 80, "/devtools/page/1"],
  ];
  for (const [text, host, port, path] of urls) {
    assert.equal(parseAddress(text), { kind: "websocket", host, port, path });
  }
});

address("anything else is refused by its name", () => {
  for (const text of ["", "api", ":9229", "host:", "host:0", "host:65536", "a b:1", "::1:9229"]) {
    assert.throws(
      () => parseAddress(text),
      (error: Error) =>
        error.message === `${JSON.stringify(text)} is neither PID nor HOST:PORT nor ws://...`,
    );
  }
  for (const text of ["ws://", "ws://host:x/", "http://127.0.0.1:9229", "wss://host/"]) {
    assert.throws(() => parseAddress(text), /is neither PID nor HOST:PORT nor ws:/);
  }
  for (const text of ["0", "4194305", "99999999999999999999"]) {
    assert.throws(() => parseAddress(text), `${text} is no process id: these are 1 to 4194304`);
  }
});

address.run();
