import { randomUUID } from 'node:crypto'
import type { Finding, Intent, Io } from '../contract.ts'
import { ok, problem, warning } from '../finding.ts'
import type { Bucket } from './bucket.ts'

/**
 * Whether a bucket is there, in this region, and ours to read; with the intent's leave one small object is written, read
 * and deleted. A refusal fails with the right that is missing. CORS does not matter: only workers and we use the links.
 */
export async function checkBucket(bucket: Bucket, io: Io, { mayWrite }: Intent): Promise<Finding[]> {
  const key = `${bucket.prefix}doctor/${randomUUID()}`
  const where = bucket.uri(bucket.prefix)
  await bucket.has(key, io)
  const findings = [ok('s3-read', `Amazon S3: ${where} is there and can be read.`)]
  if (mayWrite) {
    await bucket.put(key, 'surefoot doctor', 'text/plain', io)
    const came = await bucket.text(key, io)
    // Nothing else here deletes objects, so the right to may well be missing.
    const isGone = await bucket.remove(key, io).then(
      () => true,
      () => false,
    )
    const end = isGone ? 'read and deleted' : `and read; it could not be deleted and stays under ${key}`
    findings.push(
      came === 'surefoot doctor'
        ? ok('s3-write', `Amazon S3: an object was written to ${where}, ${end}.`)
        : problem(
            's3-write',
            `Amazon S3: an object that was written to ${where} came back as something else.`,
            'See what changes objects there.',
          ),
    )
  } else findings.push(ok('s3-write', `Amazon S3: whether ${where} can be written is seen with --probe only.`))
  return [...findings, ...(await checkSettings(bucket, where, io))]
}

async function checkSettings(bucket: Bucket, where: string, io: Io): Promise<Finding[]> {
  const [isClosed, expires] = await Promise.all([bucket.blocksPublic(io), bucket.expires(io)])
  const findings: Finding[] = []
  if (isClosed.kind === 'missing' || (isClosed.kind === 'told' && !isClosed.value))
    findings.push(
      warning(
        's3-public',
        `Amazon S3: the bucket of ${where} may be opened to the public, photos and all.`,
        'Switch Block Public Access on; signed links work with it.',
      ),
    )
  if (expires.kind === 'missing' || (expires.kind === 'told' && !expires.value))
    findings.push(
      warning(
        's3-expiry',
        `Amazon S3: nothing deletes what is under ${where}: inputs and outputs are paid for for good.`,
        'Add a lifecycle rule for that prefix that expires objects after a few days.',
      ),
    )
  return findings
}
