import { describeFiles } from '../testing/describe-files.ts'
import { createS3Files } from './s3.ts'
import { startS3 } from './test-s3.ts'

for (const conditional of [true, false])
  describeFiles(`S3 ${conditional ? 'with' : 'without'} conditional writes`, async () => {
    const s3 = await startS3({ conditional })
    return { files: createS3Files({ ...s3.options, prefix: 'gateway' }), close: s3.close }
  })
