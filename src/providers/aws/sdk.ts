import { refuse } from '../../core/failure.ts'

/** The packages of the AWS SDK that the adapters use; each is loaded at its first use only. */
export type SdkPackage =
  | '@aws-sdk/client-ecs'
  | '@aws-sdk/client-lambda'
  | '@aws-sdk/client-s3'
  | '@aws-sdk/client-sagemaker'
  | '@aws-sdk/client-sagemaker-runtime'
  | '@aws-sdk/s3-request-presigner'

/**
 * Loads an optional dependency, until the signal ends. Fails with `deployment_missing`, saying what to install.
 */
export async function loadSdk<T>(name: SdkPackage, load: () => Promise<T>, signal: AbortSignal): Promise<T> {
  try {
    return await untilAborted(load(), signal)
  } catch (cause) {
    signal.throwIfAborted()
    return refuse('deployment_missing', `A provider on AWS needs the package "${name}", which is not installed.`, {
      advice: `Install it beside surefoot: npm install ${name}@3`,
      cause,
    })
  }
}

/** The promise, or the signal's end before it. */
export function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const end = () => reject(signal.reason)
    if (signal.aborted) end()
    signal.addEventListener('abort', end, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', end))
  })
}
