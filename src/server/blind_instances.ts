import type { Device } from "../kcov/mod.ts";
import type { TargetId } from "../kcov/mod.ts";

/** How many instances of all devices do not see a target that has no probes; see {@linkcode Device.blindTo}. */
export function blindInstances(
  devices: Iterable<Pick<Device, "blindTo">>,
  target: TargetId,
): number {
  let blind = 0;
  for (const device of devices) blind += device.blindTo(target);
  return blind;
}
