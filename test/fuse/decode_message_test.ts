import { suite } from "uvu";
import * as assert from "uvu/assert";
import { decodeReply, decodeRequest } from "../../src/fuse/decode_message.ts";
import { fromHex } from "./hex.ts";
import { EXCHANGES, OPERATIONS } from "./messages.ts";

const decode = suite("fuse/decode_message");

for (const { name, request, reply, input, output, method } of EXCHANGES) {
  decode(`${name} is read back, and so is its reply`, () => {
    const found = decodeRequest(fromHex(request));
    assert.is(found.name, name);
    assert.is(found.unique, 2);
    if (method && OPERATIONS.some((exchange) => exchange.name === name)) {
      assert.equal(found.input, input);
    }
    if (reply === undefined) return;
    const { unique, errno, output: read } = decodeReply(fromHex(reply), found.operation);
    assert.is(unique, 2);
    assert.is(errno, name === "INTERRUPT" ? 11 : 0);
    if (output !== undefined && name !== "OPEN" && name !== "OPENDIR") assert.equal(read, output);
  });
}

decode("an open file's reply is read back with its backing", () => {
  const { request, reply } = EXCHANGES.find(({ name }) => name === "OPEN")!;
  const { operation } = decodeRequest(fromHex(request));
  assert.equal(decodeReply(fromHex(reply!), operation).output, {
    ...{ fh: 0x0001020304050607, open_flags: 5, backing_id: 0 },
  });
});

decode("an error has no output", () => {
  const { request } = EXCHANGES.find(({ name }) => name === "OPEN")!;
  const { operation } = decodeRequest(fromHex(request));
  const refused = fromHex("10000000 feffffff 0200000000000000");
  assert.equal(decodeReply(refused, operation), { unique: 2, errno: 2, output: undefined });
});

decode("what is malformed has no input and no output", () => {
  const { request, reply } = EXCHANGES.find(({ name }) => name === "OPEN")!;
  const found = decodeRequest(fromHex(request).subarray(0, 42));
  assert.is(found.input, undefined);
  assert.is(decodeReply(fromHex(reply!).subarray(0, 20), found.operation).output, undefined);
  assert.throws(() => decodeRequest(new Uint8Array(8)), /only 0 are left/);
});

decode.run();
