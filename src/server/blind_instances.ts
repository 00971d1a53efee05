import type { Device } from "../kcov/mod.ts";
import type { TargetId } from "../kcov/mod.ts";

/** The number of instances that do not see a target without probes; see {@linkcode Device.blindTo}. */
export function blindInstances(
  devices: Iterable<Pick<Device, "blindTo">>,
  target: TargetId,
): number {
  let blind = 0;
  for (const device of devices) blind += device.blindTo(target);
  return blind;
}
