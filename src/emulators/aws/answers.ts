import { json, waitHeaders } from '../answers.ts'
import type { Wording } from '../misbehave.ts'

/** An error as the JSON services shape it: a name in `__type` and in a header, mostly with 400. */
export function problem(error: string, message: string, status = 400, more: object = {}): Response {
  const headers = { 'content-type': 'application/x-amz-json-1.1', 'x-amzn-errortype': error }
  return new Response(JSON.stringify({ __type: error, message, ...more }), { status, headers })
}

/** An error as S3 shapes it. */
export function s3Problem(status: number, code: string, headers: Record<string, string> = {}): Response {
  const body = `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${code}</Message></Error>`
  return new Response(body, { status, headers: { 'content-type': 'application/xml', ...headers } })
}

/** An answer of the JSON services. */
export function answer(body: unknown, status = 200): Response {
  return json(body, status, { 'content-type': 'application/x-amz-json-1.1' })
}

const refusals: { readonly [status: number]: readonly [error: string, message: string, status?: number] } = {
  400: ['InvalidParameterException', 'Invalid identifier: the value is not valid.'],
  401: ['UnrecognizedClientException', 'The security token included in the request is invalid.'],
  402: ['OptInRequired', 'The AWS access key ID needs a subscription for the service.', 403],
  403: ['BlockedException', 'Your AWS account was blocked. For more information, contact AWS Support.'],
  404: ['ClusterNotFoundException', 'Cluster not found.'],
  409: ['UpdateInProgressException', 'There is already a change in progress.', 409],
  413: ['RequestEntityTooLargeException', 'Request body is too large.', 413],
  422: ['InvalidParameterException', 'Unprocessable.'],
  500: ['ServerException', 'Service Unavailable. Please try again later.', 500],
  503: ['ServerException', 'Service Unavailable. Please try again later.', 503],
}

/** The words of the JSON services. Throttling has no header; the forms with one are for what stands in between. */
export const wording: Wording = {
  refusal(status) {
    const [error, message, code = 400] = refusals[status] ?? ['InternalFailure', 'Internal failure.', status]
    return problem(error, message, code)
  },
  throttled(form, waitSeconds, now) {
    const hint = form === 'body' ? `, try again in ${waitSeconds} seconds` : ''
    const response = problem('ThrottlingException', `Rate exceeded${hint}`)
    for (const [name, value] of Object.entries(waitHeaders(form, waitSeconds, now))) response.headers.set(name, value)
    return response
  },
}

const restRefusals: { readonly [status: number]: readonly [error: string, message: string, status?: number] } = {
  400: ['InvalidParameterValueException', 'The value is not valid.'],
  401: ['UnrecognizedClientException', 'The security token included in the request is invalid.', 403],
  402: ['OptInRequired', 'The AWS access key ID needs a subscription for the service.', 403],
  403: ['BlockedException', 'Your AWS account was blocked. For more information, contact AWS Support.', 403],
  404: ['ResourceNotFoundException', 'Function not found.'],
  413: ['RequestTooLargeException', 'The request payload exceeded the limit.'],
  500: ['ServiceException', 'An error occurred and the request cannot be processed.'],
  503: ['ServiceUnavailable', 'The service is unavailable.'],
}

/** The words of the services that speak REST: Lambda, SageMaker's runtime. */
export const restWording: Wording = {
  refusal(status) {
    const [error, message, code = status] = restRefusals[status] ?? ['InternalFailure', 'Internal failure.']
    return problem(error, message, code)
  },
  throttled(form, waitSeconds, now) {
    const response = wording.throttled(form, waitSeconds, now)
    const headers = { ...Object.fromEntries(response.headers), 'x-amzn-errortype': 'TooManyRequestsException' }
    return new Response(response.body, { status: 429, headers })
  },
}

const s3Codes: { readonly [status: number]: readonly [code: string, status?: number] } = {
  401: ['InvalidAccessKeyId', 403],
  402: ['OptInRequired', 403],
  403: ['AllAccessDisabled', 403],
  404: ['NoSuchKey'],
  409: ['OperationAborted'],
  422: ['InvalidArgument', 400],
  500: ['InternalError'],
  503: ['ServiceUnavailable'],
}

/** The words of S3. */
export const s3Wording: Wording = {
  refusal(status) {
    const [code, shown = status] = s3Codes[status] ?? ['InternalError']
    return s3Problem(shown, code)
  },
  throttled(form, waitSeconds, now) {
    const response = s3Problem(503, 'SlowDown', waitHeaders(form, waitSeconds, now))
    if (form !== 'body') return response
    const text = `<Error><Code>SlowDown</Code><Message>Try again in ${waitSeconds} seconds</Message></Error>`
    return new Response(text, { status: 503, headers: { 'content-type': 'application/xml' } })
  },
}
