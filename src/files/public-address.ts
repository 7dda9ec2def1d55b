import { BlockList, isIP } from 'node:net'

// IANA's registries of special-purpose addresses, without what they mark as globally reachable.
const notPublic = new BlockList()
for (const [address, prefix] of [
  ['0.0.0.0', 8], // this network, unspecified
  ['10.0.0.0', 8], // private
  ['100.64.0.0', 10], // carrier-grade NAT
  ['127.0.0.0', 8], // loopback
  ['169.254.0.0', 16], // link-local, with the clouds' metadata service 169.254.169.254
  ['172.16.0.0', 12], // private
  ['192.0.0.0', 24], // protocol assignments
  ['192.0.2.0', 24], // documentation
  ['192.88.99.0', 24], // 6to4 relays, deprecated
  ['192.168.0.0', 16], // private
  ['198.18.0.0', 15], // benchmarks
  ['198.51.100.0', 24], // documentation
  ['203.0.113.0', 24], // documentation
  ['224.0.0.0', 4], // multicast
  ['240.0.0.0', 4], // reserved, broadcast
] as const)
  notPublic.addSubnet(address, prefix, 'ipv4')
for (const [address, prefix] of [
  ['2001::', 23], // protocol assignments: Teredo, ORCHID, benchmarks
  ['2001:db8::', 32], // documentation
  ['2002::', 16], // 6to4: carries any IPv4 address, private ones too
  ['3fff::', 20], // documentation
] as const)
  notPublic.addSubnet(address, prefix, 'ipv6')

// The only part of IPv6 that is given out for the public internet. Everything else is refused unseen: loopback, link-local,
// unique-local, multicast, unspecified, and the forms that carry an IPv4 address (::ffff:0:0/96, 64:ff9b::/96).
const globalUnicast = new BlockList()
globalUnicast.addSubnet('2000::', 3, 'ipv6')

/** Whether an IP address (as text, without brackets) belongs to the public internet. False for what is no address. */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address)
  if (family === 4) return !notPublic.check(address, 'ipv4')
  // With a zone (`fe80::1%eth0`) it is local to a link by definition.
  if (family !== 6 || address.includes('%')) return false
  return globalUnicast.check(address, 'ipv6') && !notPublic.check(address, 'ipv6')
}
