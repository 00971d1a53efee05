/**
 * The kcov device: what Linux's `/sys/kernel/debug/kcov` does, for whatever hands out PCs. It knows the
 * targets by {@linkcode Source} and the kernel's page cache by {@linkcode PageCache} only.
 */
export { type State } from "./instance.ts";
export { Device, type DeviceOptions, type PageCache, type Source } from "./device.ts";
export { KcovFilesystem, type TreeOptions } from "./filesystem.ts";
