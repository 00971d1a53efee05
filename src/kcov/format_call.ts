import * as abi from "./abi.ts";

const NAMES = new Map<number, string>([
  [abi.KCOV_INIT_TRACE, "KCOV_INIT_TRACE"],
  [abi.KCOV_ENABLE, "KCOV_ENABLE"],
  [abi.KCOV_DISABLE, "KCOV_DISABLE"],
  [abi.KCOV_REMOTE_ENABLE, "KCOV_REMOTE_ENABLE"],
  [abi.KCOV_RESET_TRACE, "KCOV_RESET_TRACE"],
]);
const MODES = new Map<bigint, string>([
  [BigInt(abi.KCOV_TRACE_PC), "KCOV_TRACE_PC"],
  [BigInt(abi.KCOV_TRACE_CMP), "KCOV_TRACE_CMP"],
]);

/** An ioctl as a debug line has it: `KCOV_INIT_TRACE(2048)`. */
export function formatCall({ cmd, arg }: { cmd: number; arg: bigint }): string {
  const name = NAMES.get(cmd) ?? `ioctl 0x${cmd.toString(16)}`;
  if (cmd === abi.KCOV_ENABLE) return `${name}(${MODES.get(arg) ?? arg})`;
  return `${name}(${cmd === abi.KCOV_REMOTE_ENABLE ? `0x${arg.toString(16)}` : arg})`;
}
