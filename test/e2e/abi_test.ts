import { suite } from "uvu";
import * as assert from "uvu/assert";
import { compile, execute, Scene } from "./harness.ts";
import { COUNTS, DIRECT, FAULTS } from "./measures.ts";

const SCENARIOS = {
  init_sizes: "KCOV_INIT_TRACE takes 2 to INT_MAX / 8 words, once",
  any_size: "any number of words can be mapped and used to its last",
  enable_errors: "KCOV_ENABLE refuses by state, then by thread, then by mode",
  disable_errors: "KCOV_DISABLE is for the thread that enabled",
  reset_errors: "KCOV_RESET_TRACE is for the thread that enabled, and sets the count to 0",
  other_ioctls: "what kcov has no ioctl for is ENOTTY",
  remote_errors: "KCOV_REMOTE_ENABLE refuses by number, state, thread, mode, then handle by handle",
  remote_memory: "KCOV_REMOTE_ENABLE takes its handles from the caller's memory, or EFAULT",
  remote_handles: "a handle is one instance's until KCOV_DISABLE or the thread's end",
  data_stays: "the words stay when tracing ends and begins anew",
  read_and_write: "read(2) gives the area as the mapping has it, write(2) is EINVAL",
  mapping_before_init: "touching a mapping before KCOV_INIT_TRACE is SIGBUS, and well afterwards",
  owner_thread_exits: "an instance can be enabled anew when its thread has exited",
  owner_process_exits: "an instance can be enabled anew when its process is a zombie",
  closed_while_enabled: "a thread traces on when the instance is closed and unmapped",
  many_instances: "two hundred instances have an area each",
  nothing_changes: "write(2) and whatever else changes files changes no word",
  names_stay: "no file can be made, removed or renamed",
  execs_while_enabled: "a thread that has enabled and execs waits for nobody",
  reopened: "an open instance can be neither opened again, resized nor given away",
};

const MEASURES = { ABI: COUNTS, "ABI where probes write": DIRECT, "ABI of probes": FAULTS };

for (const [name, { options, env }] of Object.entries(MEASURES)) {
  const abi = suite<{ scene: Scene }>(name);

  abi.before(async (context) => {
    compile("abi");
    context.scene = new Scene();
    await context.scene.serve(...options);
  });

  abi.after(async (context) => {
    await context.scene[Symbol.asyncDispose]();
  });

  for (const [scenario, sentence] of Object.entries(SCENARIOS)) {
    abi(sentence, async ({ scene }) => {
      const command = [compile("abi"), scene.kcov, scenario];
      const { status, signal, stderr } = await execute(command, { env });
      assert.is(stderr, "");
      assert.is(status, 0, `${status} ${signal}`);
    });
  }

  abi.run();
}
