/** What may be reached over the network. */

import { lookup } from "node:dns";
import { BlockList, isIP, type LookupFunction } from "node:net";

import { GeoLearnError } from "../../errors.ts";

/** Rules for reading over `http` and `https`. */
export interface NetworkPolicy {
  /** Hosts that may be asked; a leading dot stands for all below (`".example.org"`). @defaultValue all public ones */
  readonly hosts?: readonly string[];
  /** Allows loopback, private and link-local addresses. @defaultValue false */
  readonly allowPrivate?: boolean;
  /** Milliseconds for one request, plus a second per 100 kB asked for. @defaultValue 10000 */
  readonly timeout?: number;
  /** Further attempts after a failure that may pass. @defaultValue 3 */
  readonly retries?: number;
  /** Redirects followed; each is checked like the first address. @defaultValue 3 */
  readonly maxRedirects?: number;
  /** Headers sent to the first host only, for example an authorization. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** Options of what opens rasters. */
export interface NetworkOptions {
  /** Allows rasters at `http` and `https` addresses: true for public hosts, or a policy. @defaultValue false */
  readonly network?: boolean | NetworkPolicy;
}

const notPublic = new BlockList();
for (const [address, bits] of [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 4],
  ["240.0.0.0", 4],
] as const) {
  notPublic.addSubnet(address, bits, "ipv4");
}
for (const [address, bits] of [
  ["::", 96],
  ["64:ff9b::", 96],
  ["64:ff9b:1::", 48],
  ["100::", 64],
  ["2001::", 23],
  ["2001:db8::", 32],
  ["2002::", 16],
  ["fc00::", 7],
  ["fe80::", 10],
  ["fec0::", 10],
  ["ff00::", 8],
] as const) {
  notPublic.addSubnet(address, bits, "ipv6");
}

/** True for an address of the public network. */
export function isPublicAddress(address: string): boolean {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? mappedHex(address);
  if (mapped !== null) return isPublicAddress(mapped);
  const family = isIP(address);
  return family !== 0 && !notPublic.check(address, family === 4 ? "ipv4" : "ipv6");
}

/** The IPv4 address inside `::ffff:7f00:1`, or null. */
function mappedHex(address: string): string | null {
  const found = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/i.exec(address);
  if (found === null) return null;
  const [high, low] = [parseInt(found[1]!, 16), parseInt(found[2]!, 16)];
  return [high >> 8, high & 255, low >> 8, low & 255].join(".");
}

/** Checks an address before it is asked. @throws NETWORK_NOT_ALLOWED */
export function checkAddress(url: URL, policy: NetworkPolicy): void {
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw refuse(`${url.protocol}// addresses are not read`, "Use http or https, or a local path.");
  }
  if (url.username !== "" || url.password !== "") {
    throw refuse(`the address of ${url.host} carries a user name or password`, "Give them as a header in the network policy.");
  }
  const host = url.hostname.replace(/^\[|\]$/g, "");
  if (policy.hosts !== undefined && !policy.hosts.some((allowed) => matches(host, allowed))) {
    throw refuse(`${host} is not among the allowed hosts`, "Add it to the hosts of the network policy.");
  }
  const local = /(^|\.)localhost\.?$/i.test(host);
  if (local && policy.allowPrivate !== true) throw privateAddress(host);
  if (isIP(host) !== 0 && policy.allowPrivate !== true && !isPublicAddress(host)) throw privateAddress(host);
}

/** Name resolution that refuses private addresses at the moment of connecting, so that no later answer can slip in. */
export function checkedLookup(policy: NetworkPolicy): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return callback(error, "", 0);
      const wrong = policy.allowPrivate === true ? undefined : addresses.find(({ address }) => !isPublicAddress(address));
      if (wrong !== undefined) return callback(privateAddress(hostname), "", 0);
      if (options.all === true) return callback(null, addresses);
      return callback(null, addresses[0]!.address, addresses[0]!.family);
    });
  };
}

function matches(host: string, allowed: string): boolean {
  return allowed.startsWith(".") ? host.endsWith(allowed) : host === allowed;
}

function privateAddress(host: string): GeoLearnError {
  return refuse(`${host} is a private or local address`, "Allow it with `allowPrivate: true` in the network policy if it is meant.");
}

function refuse(what: string, hint: string): GeoLearnError {
  return new GeoLearnError("NETWORK_NOT_ALLOWED", `The network policy refuses: ${what}.`, { hint });
}
