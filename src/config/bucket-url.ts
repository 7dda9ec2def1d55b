import type { S3Options } from '../files/contract.ts'
import { isThisMachine } from '../providers/option-schemas.ts'

/**
 * Origin at which workers read and write the bucket by links, without us; null where bytes go through the gateway. A bucket
 * on this machine is no place for workers elsewhere: it is named only where there is no public URL on another machine, for emulators.
 */
export function bucketUrl(bucket: S3Options | null, publicUrl: string | null): string | null {
  if (bucket === null) return null
  const url = bucket.publicEndpoint ?? bucket.endpoint ?? `https://s3.${bucket.region}.amazonaws.com`
  const isElsewhere = publicUrl !== null && !isThisMachine(new URL(publicUrl).hostname)
  return isElsewhere && isThisMachine(new URL(url).hostname) ? null : url
}
