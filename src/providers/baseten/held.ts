import { createFailure } from '../../core/failure.ts'
import type { Io, Job, Observation, StartAnswer } from '../contract.ts'
import type { Answer } from '../http.ts'
import { outputsOf } from '../outputs.ts'
import { isRefusal, submitOnce, type VendorApi, wordsOf } from '../vendor-api.ts'
import { failureOfModel } from './failure.ts'
import { buildInput, checkSize, maxRequestBytes, type Reachable } from './inputs.ts'
import { type BasetenTarget, placeOf } from './options.ts'
import { handleOf } from './start.ts'

/**
 * Runs a model on one connection that stays open until it has answered. A cut, a 5xx of the router's or a page in between
 * leaves open whether it runs on: `unknown`. What the model itself answered is its end, whatever the status.
 */
export async function startHeld(
  job: Job,
  target: BasetenTarget,
  reachable: Reachable,
  api: VendorApi,
  io: Io,
): Promise<StartAnswer> {
  const ended = (headers: Headers, seen: Observation) => {
    const id = headers.get('x-baseten-request-id')?.slice(0, 200) || job.marker.attemptId
    const handle = { ...handleOf(target, id, job.marker.attemptId) }
    return { kind: 'accepted' as const, handle, seen }
  }
  const submission = {
    async build() {
      const body = JSON.stringify(await buildInput(job, target, reachable, maxRequestBytes.held))
      checkSize(Buffer.byteLength(body), job, reachable, maxRequestBytes.held)
      return { method: 'POST' as const, path: `${placeOf(target)}/predict`, body }
    },
    accepted(answer: Answer) {
      const seen = success(answer, target, handleOf(target, '-', job.marker.attemptId).stored)
      return seen === null ? null : ended(answer.headers, seen)
    },
    isRefusal: (answer: Answer) => isOfModel(answer) || answer.status === fullStatus || isRefusal(answer),
    async refused(answer: Answer) {
      if (!isOfModel(answer)) return api.failureOf(answer)
      return ended(answer.headers, { status: 'failed', word: String(answer.status), failure: failureOfAnswer(answer) })
    },
    broken(error: unknown) {
      // An answer that is too large is the end of a run that was good: it must not be looked for, and paid again.
      if (!(error instanceof RangeError)) return null
      const failure = createFailure('output_too_large', `Baseten: ${error.message}`)
      return ended(new Headers(), { status: 'failed', word: 'too large', failure })
    },
  }
  return await submitOnce(api, submission, io)
}

/** What a 2xx answer says; null when it is not the model's. */
function success({ headers, json, status }: Answer, target: BasetenTarget, stored?: string): Observation | null {
  const word = String(status)
  if (json !== undefined && isErrorAlone(json)) return null
  if (stored !== undefined && json !== undefined)
    return { status: 'succeeded', word, outputs: [{ kind: 'stored', key: stored }] }
  if (json !== undefined) return { status: 'succeeded', word, outputs: outputsOf(json, { bareBase64: true }) }
  const type = headers.get('content-type')?.split(';')[0]?.trim().slice(0, 60) ?? ''
  if (type === '' || /html/i.test(type)) return null
  const message = `The model answered with ${type}; Surefoot reads JSON from ${target.model}.`
  return { status: 'failed', word, failure: createFailure('output_lost', message) }
}

/** What deployments answer that are told not to let requests wait. Source: docs.baseten.co/deployment/autoscaling. */
export const fullStatus: number = 529

/** `{ "error": ... }` and nothing else is what proxies say, not what a model answers with 200. */
function isErrorAlone(json: unknown): boolean {
  return typeof json === 'object' && json !== null && Object.keys(json).join() === 'error'
}

/** The model's own server puts this on its errors; the router's have none. Source: basetenlabs/truss. */
function isOfModel({ headers, status }: Answer): boolean {
  return status >= 400 && headers.has('x-baseten-error-source') && headers.get('x-baseten-error-code') !== '500'
}

/** 700: the caller's fault, 600: the model's. */
function failureOfAnswer(answer: Answer) {
  const words = wordsOf(answer)
  if (answer.headers.get('x-baseten-error-code') === '700')
    return createFailure('input_invalid', `The model refused its input: ${words || answer.status}.`)
  return failureOfModel(words)
}
