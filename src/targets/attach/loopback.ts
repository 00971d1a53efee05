import { lookup } from "node:dns/promises";
import { BlockList, isIPv6 } from "node:net";

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet("127.0.0.0", 8);
LOOPBACK.addAddress("::1", "ipv6");

/** Whether an IP address, also IPv4 in IPv6, reaches this machine only. */
export function isLoopback(address: string): boolean {
  return LOOPBACK.check(address, isIPv6(address) ? "ipv6" : "ipv4");
}

/**
 * The addresses of a host. Connect to them, not to the name: so the addresses that are used are those that
 * were checked.
 *
 * @throws {Error} if the host is unknown, or if any of its addresses is not a loopback address and
 * `allowRemote` is not set: whoever answers there gets to name code to be measured.
 */
export async function resolveHost(
  host: string,
  options: { allowRemote: boolean },
): Promise<string[]> {
  const found = await lookup(host, { all: true }).catch((error) => {
    throw new Error(`Cannot find ${host}: ${error.code ?? error.message}`);
  });
  const addresses = found.map(({ address }) => address);
  const remote = addresses.find((address) => !isLoopback(address));
  if (remote === undefined || options.allowRemote) return addresses;
  const place = remote === host ? host : `${host} (${remote})`;
  throw new Error(
    `Cannot connect to ${place}: it is not this machine; start the server with --allow-remote`,
  );
}
