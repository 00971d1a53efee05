/**
 * The kcov device: it behaves like Linux's `/sys/kernel/debug/kcov`, for any source of PCs. It knows the
 * targets only by {@linkcode Source}, and the kernel's page cache only by {@linkcode PageCache}.
 */
export { WORD_SIZE } from "./abi.ts";
export { type Callers, type Client, type Owner } from "./callers.ts";
export { type Counts, noCounts } from "./meter.ts";
export type { NodeId } from "../fuse/mod.ts";
export { type TargetId, targetId, type UnitId, unitId } from "./ids.ts";
export { type AreaFile, type State } from "./instance.ts";
export { type InstanceStatus, isFull } from "./instance_status.ts";
export { Device, type DeviceOptions } from "./device.ts";
export { FIRST_INSTANCE, KcovFilesystem, type TreeOptions } from "./filesystem.ts";
export { type PageCache } from "./page_cache.ts";
export {
  type EnabledArea,
  inScope,
  type Mode,
  type Scope,
  type Source,
  type TargetPcs,
} from "./source.ts";
export { type NamedTarget } from "./target_files.ts";
